-- The needs of a listed child, ranked: of List 1 from the latest SEN2 record that has a first need, of List 2 from the latest such census.
with plan_record as (
    select distinct on (plan.person_id)
        plan.person_id,
        plan.sen2_active_plan_id,
        plan._delivery_id
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

census_record as (
    select distinct on (enrolment.person_id)
        enrolment.person_id,
        enrolment.census_pupil_id,
        enrolment._delivery_id
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
),

need as (
    select
        record.person_id,
        1 as list_number,
        plan_need.need_source,
        plan_need.need_rank,
        plan_need._row_number
    from plan_record as record
    inner join {{ ref('stg_sen2__need') }} as plan_need
        on
            record._delivery_id = plan_need._delivery_id
            and record.sen2_active_plan_id = plan_need.sen2_active_plan_id
    union all
    select
        record.person_id,
        2 as list_number,
        census_need.need_source,
        census_need.need_rank,
        census_need._row_number
    from census_record as record
    inner join {{ ref('stg_school_census__need') }} as census_need
        on
            record._delivery_id = census_need._delivery_id
            and record.census_pupil_id = census_need.census_pupil_id
)

select distinct on (child.person_id, need.need_rank)
    child.person_id,
    child.list_number,
    need.need_rank,
    need.need_source,
    code.need,
    coalesce(code.is_disability, false) as is_disability
from {{ ref('int_child__listed') }} as child
inner join need
    on
        child.person_id = need.person_id
        and child.list_number = need.list_number
left join {{ ref('need_codes') }} as code
    on need.need_source = code.need_source
where need.need_rank is not null
order by child.person_id asc, need.need_rank asc, need._row_number asc
