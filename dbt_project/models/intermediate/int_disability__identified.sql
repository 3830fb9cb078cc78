with disabled as (
    select child.person_id
    from {{ ref('stg_cin_census__disability') }} as disability
    inner join {{ ref('stg_cin_census__child') }} as child
        on
            disability._delivery_id = child._delivery_id
            and disability.cin_child_id = child.cin_child_id
    where disability.disability <> 'NONE'
    union
    select plan.person_id
    from {{ ref('stg_sen2__need') }} as need
    inner join {{ ref('int_plan__reviewed') }} as plan
        on
            need._delivery_id = plan._delivery_id
            and need.sen2_active_plan_id = plan.sen2_active_plan_id
    inner join {{ ref('need_codes') }} as code
        on need.need_source = code.need_source
    where need.need_rank in (1, 2) and code.is_disability
    union
    select enrolment.person_id
    from {{ ref('stg_school_census__need') }} as need
    inner join {{ ref('int_enrolment__ranked') }} as enrolment
        on
            need._delivery_id = enrolment._delivery_id
            and need.census_pupil_id = enrolment.census_pupil_id
    inner join {{ ref('need_codes') }} as code
        on need.need_source = code.need_source
    where need.need_rank in (1, 2) and code.is_disability
)

select
    child.person_id,
    coalesce(disabled.person_id is not null, false) as has_disability
from {{ ref('int_child__listed') }} as child
left join disabled
    on child.person_id = disabled.person_id
