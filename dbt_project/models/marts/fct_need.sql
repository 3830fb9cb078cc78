select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    case need.list_number when 1 then 'EHC plan' else 'SEN support' end as provision,
    need.need_rank,
    need.need,
    need.need_source,
    need.is_disability
from {{ ref('int_need__ranked') }} as need
inner join {{ ref('int_child__keyed') }} as child
    on need.person_id = child.person_id
