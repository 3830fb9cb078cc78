select
    '{{ var("partnership") }}'::text as partnership,
    pseudonym.child_key,
    dated.valid_from_on,
    dated.valid_to_on,
    dated.valid_to_on is null as is_current,
    dated.has_plan,
    dated.has_sen_support,
    dated.is_looked_after,
    dated.has_child_protection_plan,
    dated.is_child_in_need,
    dated.placement_type,
    dated.establishment_urn
from {{ ref('int_child__dated') }} as dated
inner join {{ ref('int_child__keyed') }} as pseudonym
    on dated.person_id = pseudonym.person_id
order by
    pseudonym.child_key asc,
    dated.valid_from_on asc
