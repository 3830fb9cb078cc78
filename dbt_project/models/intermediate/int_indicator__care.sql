-- Short breaks and social care. A disabled child known to the council has a disability in the CIN census and an open episode of need.
with disabled as (
    select distinct child.person_id
    from {{ ref('stg_cin_census__disability') }} as disability
    inner join {{ ref('stg_cin_census__child') }} as child
        on
            disability._delivery_id = child._delivery_id
            and disability.cin_child_id = child.cin_child_id
    where
        disability.disability <> 'NONE'
        and child.person_id is not null
),

month_end as (
    select period.period_to_on as day_on
    from {{ ref('int_period') }} as period
    where
        period.period_kind = 'month_end'
        and period.period_to_on >= greatest({{ registers_since() }}, {{ cin_census_since() }})
),

known as (
    select distinct
        month_end.day_on,
        episode.person_id
    from {{ ref('int_social_care__episode') }} as episode
    inner join disabled
        on episode.person_id = disabled.person_id
    inner join month_end
        on {{ is_open('episode.started_on', 'episode.ended_on', 'month_end.day_on') }}
    where episode.involvement = 'child_in_need'
),

-- A package is in force on its last day too.
receiving as (
    select distinct
        month_end.day_on,
        package.person_id
    from {{ ref('stg_short_breaks__package') }} as package
    inner join month_end
        on month_end.day_on between package.started_on and coalesce(package.ended_on, month_end.day_on)
),

-- What was refused or withdrawn waits until then; on a day that nobody noted, it never did.
waiting as (
    select
        month_end.day_on,
        request.request_id,
        request.person_id,
        request.service,
        month_end.day_on - request.requested_on as days
    from {{ ref('stg_short_breaks__request') }} as request
    inner join month_end
        on {{ is_open('request.requested_on', 'least(request.started_on, request.closed_on)', 'month_end.day_on') }}
    where
        request.decision in ('agreed', 'part_agreed', 'pending')
        or request.closed_on is not null
),

waiting_child as (
    select distinct
        waiting.day_on,
        waiting.person_id
    from waiting
),

known_measure as (
    select
        measured.measure,
        known.day_on,
        known.person_id,
        measured.is_counted
    from known
    left join receiving
        on
            known.day_on = receiving.day_on
            and known.person_id = receiving.person_id
    left join waiting_child
        on
            known.day_on = waiting_child.day_on
            and known.person_id = waiting_child.person_id
    cross join lateral (
        values
        ('S01_receiving', receiving.person_id is not null),
        ('S01_waiting', waiting_child.person_id is not null)
    ) as measured (measure, is_counted)
),

-- A child who is looked after, with whether the latest return says that a health assessment is in date.
health as (
    select distinct on (outcome.person_id)
        outcome.person_id,
        outcome.has_health_assessment
    from {{ ref('stg_ssda903__outcome') }} as outcome
    where outcome.has_health_assessment is not null
    order by
        outcome.person_id asc,
        outcome.reference_on desc nulls last,
        outcome._delivery_id asc,
        outcome._row_number asc
),

plan_measure as (
    select
        measured.measure,
        period.period_to_on as day_on,
        plan.person_id,
        measured.is_counted
    from {{ ref('int_plan__active') }} as plan
    left join {{ ref('int_social_care__involved') }} as care
        on plan.person_id = care.person_id
    left join health
        on plan.person_id = health.person_id
    cross join
        lateral (
            values
            ('S04', true, care.person_id is not null),
            ('S06', care.is_looked_after and health.person_id is not null, health.has_health_assessment),
            ('S07', true, plan.has_personal_budget)
        ) as measured (measure, is_asked, is_counted)
    -- A personal budget is as the return has it; social care knows of every day.
    inner join {{ ref('int_period') }} as period
        on case measured.measure when 'S07' then 'sen2_return' else 'as_of' end = period.period_kind
    where measured.is_asked
)

select
    measured.measure,
    null::text as period_kind,
    measured.day_on as counted_on,
    measured.person_id,
    measured.person_id as subject_id,
    measured.is_counted::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    null::text as placement_type
from known_measure as measured
union all
select
    'S01_weeks' as measure,
    null::text as period_kind,
    waiting.day_on as counted_on,
    waiting.person_id,
    waiting.request_id as subject_id,
    null::numeric as numerator,
    1::numeric as denominator,
    waiting.days / 7.0 as amount,
    null::text as provider,
    null::text as placement_type
from waiting
union all
select
    'S02' as measure,
    null::text as period_kind,
    delivered.month_on as counted_on,
    package.person_id,
    delivered.package_id as subject_id,
    delivered.delivered_minutes::numeric as numerator,
    delivered.agreed_minutes::numeric as denominator,
    null::numeric as amount,
    package.provider,
    null::text as placement_type
from {{ ref('stg_short_breaks__delivery') }} as delivered
left join {{ ref('stg_short_breaks__package') }} as package
    on delivered.package_id = package.package_id
-- What was had of a break is not nought where nobody noted it.
where
    delivered.month_on <= {{ as_of() }}
    and delivered.agreed_minutes is not null
    and delivered.delivered_minutes is not null
union all
select
    'S03' as measure,
    null::text as period_kind,
    request.decided_on as counted_on,
    request.person_id,
    request.request_id as subject_id,
    (request.decision in ('refused', 'part_agreed'))::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    null::text as placement_type
from {{ ref('stg_short_breaks__request') }} as request
where
    request.decided_on <= {{ as_of() }}
    and request.decision in ('agreed', 'part_agreed', 'refused')
union all
select
    measured.measure,
    null::text as period_kind,
    measured.day_on as counted_on,
    measured.person_id,
    measured.person_id as subject_id,
    measured.is_counted::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    null::text as placement_type
from plan_measure as measured
union all
select
    'S05' as measure,
    null::text as period_kind,
    assessment.authorised_on as counted_on,
    episode.person_id,
    concat_ws(' ', episode.person_id, episode.started_on, assessment.started_on) as subject_id,
    (
        authorised.working_day_number - started.working_day_number <= {{ threshold('social_care_assessment') }}
    )::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    null::text as placement_type
from {{ ref('int_social_care__episode') }} as episode
inner join disabled
    on episode.person_id = disabled.person_id
inner join {{ ref('stg_cin_census__assessment') }} as assessment
    on
        episode._delivery_id = assessment._delivery_id
        and episode.cin_episode_id = assessment.cin_episode_id
inner join {{ ref('int_working_day') }} as started
    on assessment.started_on = started.day_on
inner join {{ ref('int_working_day') }} as authorised
    on assessment.authorised_on = authorised.day_on
where
    episode.involvement = 'child_in_need'
    and assessment.authorised_on <= {{ as_of() }}
