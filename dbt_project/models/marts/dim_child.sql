-- In the order of the pseudonyms: that of the lists would tell who is who.
select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    pseudonym.child_key,
    pseudonym.key_id,
    date_trunc('month', child.date_of_birth_on)::date as birth_month_on,
    child.gender as sex,
    child.ethnicity,
    child.district_code,
    child.list_number = 1 as has_plan,
    child.list_number = 2 as has_sen_support
from {{ ref('int_child__joined') }} as child
left join {{ ref('int_child__keyed') }} as pseudonym
    on child.person_id = pseudonym.person_id
order by pseudonym.child_key
