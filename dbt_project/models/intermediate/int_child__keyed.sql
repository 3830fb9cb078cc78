select
    child.person_id,
    pseudonym.child_key,
    pseudonym.key_id
from {{ ref('int_child__listed') }} as child
inner join {{ source('identity', 'child_key') }} as pseudonym
    on child.person_id = pseudonym.person_id
inner join {{ source('audit', 'run_key') }} as run_key
    on
        pseudonym.purpose = run_key.purpose
        and pseudonym.key_id = run_key.key_id
where
    run_key.run_id = '{{ var("run_id") }}'
    and run_key.purpose = 'marts'
