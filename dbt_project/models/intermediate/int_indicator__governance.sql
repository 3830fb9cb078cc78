-- A period is on time when all that was taken for it was; the register judges a period by the first delivery that came. What came before
-- the register was kept, or after the reporting date, is judged neither way.
with feed_period as (
    select
        expectation.feed,
        expectation.period_on,
        expectation.due_on,
        bool_and(expectation.state in ('on_time', 'early')) as is_on_time
    from {{ ref('stg_landing__expectation') }} as expectation
    where expectation.state in ('on_time', 'early', 'late', 'missing')
    group by expectation.feed, expectation.period_on, expectation.due_on
),

agency as (
    select
        link.person_id,
        bool_or(link.table_name in ('csds__cyp001mpi', 'mhsds__mhs001mpi')) as is_in_health,
        bool_or(link.table_name in ('cin_census__child', 'ssda903__header')) as is_in_care
    from {{ source('identity', 'link') }} as link
    where
        link.table_name in ('csds__cyp001mpi', 'mhsds__mhs001mpi', 'cin_census__child', 'ssda903__header')
        and link.delivery_id in {{ manifest() }}
    group by link.person_id
),

plan_holder as (
    select
        plan.person_id,
        coalesce(agency.is_in_health, false) as is_in_health,
        coalesce(agency.is_in_care, false) as is_in_care
    from {{ ref('int_plan__active') }} as plan
    left join agency
        on plan.person_id = agency.person_id
),

-- The review is told by the latest return that has the plan in force.
reviewed as (
    select distinct on (plan.person_id)
        plan.person_id,
        active_plan.review_met_on is not null
        and active_plan.review_outcome is not null
        and active_plan.last_reviewed_on is not null as is_complete
    from {{ ref('int_plan__reviewed') }} as plan
    inner join {{ ref('stg_sen2__active_plan') }} as active_plan
        on
            plan._delivery_id = active_plan._delivery_id
            and plan._row_number = active_plan._row_number
    where plan.is_of_plan_in_force
    order by
        plan.person_id asc,
        plan.reference_on desc nulls last,
        plan._delivery_id asc,
        plan._row_number asc
),

counted as (
    select
        'G01' as measure,
        feed_period.due_on as counted_on,
        null::text as person_id,
        feed_period.feed || '/' || feed_period.period_on as subject_id,
        feed_period.is_on_time::integer as numerator,
        1 as denominator,
        feed_period.feed as provider
    from feed_period
    where feed_period.due_on <= {{ as_of() }}
    union all
    select
        'G02' as measure,
        {{ as_of() }} as counted_on,
        null::text as person_id,
        delivery.delivery_id::text as subject_id,
        delivery.rows_quarantined as numerator,
        delivery.rows_in as denominator,
        delivery.feed as provider
    from {{ ref('stg_landing__delivery') }} as delivery
    union all
    -- Education is the first agency of every plan.
    select
        'G03_two_agencies' as measure,
        {{ as_of() }} as counted_on,
        plan_holder.person_id,
        plan_holder.person_id as subject_id,
        (plan_holder.is_in_health or plan_holder.is_in_care)::integer as numerator,
        1 as denominator,
        null::text as provider
    from plan_holder
    union all
    select
        'G03_three_agencies' as measure,
        {{ as_of() }} as counted_on,
        plan_holder.person_id,
        plan_holder.person_id as subject_id,
        (plan_holder.is_in_health and plan_holder.is_in_care)::integer as numerator,
        1 as denominator,
        null::text as provider
    from plan_holder
    union all
    -- A plan is due a review once it is as old as the limit of the first review.
    select
        'G04' as measure,
        {{ as_of() }} as counted_on,
        issued.person_id,
        issued.person_id as subject_id,
        coalesce(reviewed.is_complete, false)::integer as numerator,
        1 as denominator,
        null::text as provider
    from {{ ref('int_plan__active') }} as plan
    inner join {{ ref('int_plan__issued') }} as issued
        on plan.person_id = issued.person_id
    inner join {{ ref('clock_parameters') }} as review
        on
            review.clock = 'CLK06'
            and review.part = 'first'
            and {{ as_of() }} between review.in_force_from_on and coalesce(review.in_force_to_on, {{ as_of() }})
    left join reviewed
        on plan.person_id = reviewed.person_id
    where (issued.initial_plan_issued_on + make_interval(months => review.limit_number))::date <= {{ as_of() }}
)

select
    counted.measure,
    null::text as period_kind,
    counted.counted_on,
    counted.person_id,
    counted.subject_id,
    counted.numerator::numeric as numerator,
    counted.denominator::numeric as denominator,
    null::numeric as amount,
    counted.provider,
    null::text as placement_type
from counted
