select
    pseudonym.person_id,
    pseudonym.child_key,
    pseudonym.key_id
from {{ source('identity', 'child_key') }} as pseudonym
inner join {{ source('run', 'run_key') }} as run_key
    on
        pseudonym.purpose = run_key.purpose
        and pseudonym.key_id = run_key.key_id
where run_key.purpose = 'marts'
