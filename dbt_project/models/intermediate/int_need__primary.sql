with plan_need as (
    select distinct on (plan.person_id)
        plan.person_id,
        need.need_source
    from {{ ref('stg_sen2__need') }} as need
    inner join {{ ref('int_plan__reviewed') }} as plan
        on
            need._delivery_id = plan._delivery_id
            and need.sen2_active_plan_id = plan.sen2_active_plan_id
    where need.need_rank = 1
    order by
        plan.person_id asc,
        plan.is_of_plan_in_force desc,
        plan.reference_on desc nulls last,
        need._delivery_id asc,
        need._row_number asc
),

census_need as (
    select distinct on (enrolment.person_id)
        enrolment.person_id,
        need.need_source
    from {{ ref('stg_school_census__need') }} as need
    inner join {{ ref('int_enrolment__ranked') }} as enrolment
        on
            need._delivery_id = enrolment._delivery_id
            and need.census_pupil_id = enrolment.census_pupil_id
    where need.need_rank = 1
    order by
        enrolment.person_id asc,
        enrolment.reference_on desc,
        enrolment.recency asc,
        need._row_number asc
)

select
    child.person_id,
    code.need as primary_need
from {{ ref('int_child__listed') }} as child
left join plan_need
    on
        child.person_id = plan_need.person_id
        and child.list_number = 1
left join census_need
    on
        child.person_id = census_need.person_id
        and child.list_number = 2
left join {{ ref('need_codes') }} as code
    on coalesce(plan_need.need_source, census_need.need_source) = code.need_source
