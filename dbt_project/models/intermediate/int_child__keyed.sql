select
    child.person_id,
    pseudonym.child_key,
    pseudonym.key_id
from {{ ref('int_child__known') }} as child
left join {{ ref('stg_identity__child_key') }} as pseudonym
    on child.person_id = pseudonym.person_id
