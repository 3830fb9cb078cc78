with issued as (
    select
        person.person_id,
        min(assessment.outcome_on) as issued_on
    from {{ ref('stg_sen2__assessment') }} as assessment
    inner join {{ ref('stg_sen2__request') }} as request
        on
            assessment._delivery_id = request._delivery_id
            and assessment.sen2_request_id = request.sen2_request_id
    inner join {{ ref('stg_sen2__person') }} as person
        on
            request._delivery_id = person._delivery_id
            and request.sen2_person_id = person.sen2_person_id
    where assessment.outcome = 'Y'
    group by person.person_id
),

started as (
    select
        plan.person_id,
        min(plan.started_on) as started_on
    from {{ ref('int_plan__named') }} as plan
    group by plan.person_id
)

select
    started.person_id,
    coalesce(issued.issued_on, started.started_on) as initial_plan_issued_on
from started
left join issued
    on started.person_id = issued.person_id
