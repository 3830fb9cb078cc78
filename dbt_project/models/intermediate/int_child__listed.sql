select
    plan.person_id,
    1 as list_number
from {{ ref('int_plan__active') }} as plan
union all
select
    enrolment.person_id,
    2 as list_number
from {{ ref('int_enrolment__registered') }} as enrolment
where
    enrolment.is_latest
    and enrolment.is_main
    and enrolment.sen_provision = 'K'
    and not exists (
        select
        from {{ ref('int_plan__active') }} as plan
        where plan.person_id = enrolment.person_id
    )
