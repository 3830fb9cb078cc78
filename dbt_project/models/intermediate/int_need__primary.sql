select
    child.person_id,
    ranked.need as primary_need
from {{ ref('int_child__listed') }} as child
left join {{ ref('int_need__ranked') }} as ranked
    on
        child.person_id = ranked.person_id
        and ranked.need_rank = 1
