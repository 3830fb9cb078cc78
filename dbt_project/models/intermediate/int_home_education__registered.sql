select distinct latest.person_id
from (
    select
        child.*,
        rank() over (
            partition by child.person_id, child.started_on order by child.reference_on desc nulls last
        ) as age_of_return
    from {{ ref('stg_ehe_register__child') }} as child
) as latest
where
    latest.age_of_return = 1
    and latest.person_id is not null
    and {{ is_open('latest.started_on', 'latest.ended_on', as_of()) }}
