-- Placement, home education and life after 16. What is attended is the placement of rank 1 in SEN2, as of the reporting date. At an earlier
-- month's end only what the registers still tell of it is given: not the share that waits, because who was placed long ago is in none.
with named as (
    select
        detail._delivery_id,
        detail.sen2_named_plan_id,
        min(detail.urn) as urn
    from {{ ref('stg_sen2__plan_detail') }} as detail
    where detail.placement_rank = 1
    group by detail._delivery_id, detail.sen2_named_plan_id
),

plan as (
    select
        active.person_id,
        child.age_years,
        {{ is_school_age('child.date_of_birth_on', as_of()) }} as is_school_age,
        named.urn as named_urn,
        placement.person_id is not null as is_placed,
        placement.urn,
        placement.sen_setting,
        placement.placement_type,
        coalesce(placement.work_based, active.work_based) as work_based
    from {{ ref('int_plan__active') }} as active
    inner join {{ ref('int_child__identified') }} as child
        on active.person_id = child.person_id
    left join named
        on
            active._delivery_id = named._delivery_id
            and active.sen2_named_plan_id = named.sen2_named_plan_id
    left join {{ ref('int_placement__current') }} as placement
        on active.person_id = placement.person_id
),

plan_measure as (
    select
        measured.measure,
        plan.person_id,
        plan.urn,
        coalesce(measured.is_counted, false) as is_counted
    from plan
    cross join
        lateral (
            values
            ('P02', plan.named_urn is not null, plan.named_urn = plan.urn),
            ('P04', plan.is_school_age, not plan.is_placed or plan.placement_type = 'out_of_school'),
            ('P05_mainstream', true, plan.placement_type = 'mainstream'),
            ('P05_special', true, plan.placement_type = 'special'),
            ('P05_independent_special', true, plan.placement_type = 'independent_special'),
            ('E01', true, plan.sen_setting = 'EHE'),
            ('D01', plan.age_years between 16 and 25, plan.sen_setting is distinct from 'NEET'),
            ('D02', plan.age_years between 16 and 25, plan.work_based = 'S')
        ) as measured (measure, is_asked, is_counted)
    where measured.is_asked
),

month_end as (
    select
        period.period_to_on as day_on,
        period.is_headline
    from {{ ref('int_period') }} as period
    where
        period.period_kind = 'month_end'
        and period.period_to_on >= {{ registers_since() }}
),

agreed as (
    select
        month_end.day_on,
        month_end.is_headline,
        decision.decision_id,
        ehc_case.person_id,
        kind.placement_type,
        month_end.day_on - decision.decided_on as days,
        coalesce(decision.placed_on > month_end.day_on, true) as is_waiting
    from {{ ref('stg_ehc_casework__panel_decision') }} as decision
    left join {{ ref('stg_ehc_casework__case') }} as ehc_case
        on decision.case_id = ehc_case.case_id
    left join {{ ref('placement_types') }} as kind
        on
            decision.specialist_need = kind.pattern
            and kind.compared = 'place agreed'
    inner join month_end
        on {{ is_open('decision.decided_on', 'decision.withdrawn_on', 'month_end.day_on') }}
    where
        decision.decision = 'agreed'
        and decision.specialist_need is not null
),

taught as (
    select distinct
        month_end.day_on,
        version.person_id
    from {{ ref('int_plan__dated') }} as version
    inner join month_end
        on {{ is_open('version.started_on', 'version.ended_on', 'month_end.day_on') }}
    where {{ is_school_age('version.date_of_birth_on', 'month_end.day_on') }}
),

-- A timetable is in force on its last day too.
reduced as (
    select distinct
        month_end.day_on,
        timetable.person_id
    from {{ ref('stg_part_time_timetables__timetable') }} as timetable
    inner join month_end
        on month_end.day_on between timetable.started_on and coalesce(timetable.ended_on, month_end.day_on)
    where not timetable.is_medical
),

home as (
    select
        entry.*,
        entry.sen_provision in ('E', 'K') as has_sen,
        entry.ended_on <= (
            entry.started_on + make_interval(months => {{ threshold('home_education_return') }})
        )::date as has_returned
    from {{ ref('int_home_education__entered') }} as entry
    where entry.started_on <= {{ as_of() }}
),

home_measure as (
    select
        measured.measure,
        home.person_id,
        home.started_on,
        coalesce(measured.is_counted, false) as is_counted
    from home
    cross join
        lateral (
            values
            ('E02', true, home.has_sen or home.has_open_request),
            ('E03', home.has_known_reason, home.is_dissatisfied),
            ('E04', home.has_sen, home.has_returned)
        ) as measured (measure, is_asked, is_counted)
    where measured.is_asked
)

select
    measured.measure,
    null::text as period_kind,
    {{ as_of() }} as counted_on,
    measured.person_id,
    measured.person_id as subject_id,
    measured.is_counted::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    measured.urn as provider,
    null::text as placement_type
from plan_measure as measured
union all
select
    'P01_waiting' as measure,
    null::text as period_kind,
    agreed.day_on as counted_on,
    agreed.person_id,
    agreed.decision_id as subject_id,
    agreed.is_waiting::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    agreed.placement_type
from agreed
where agreed.is_headline
union all
select
    'P01_weeks' as measure,
    null::text as period_kind,
    agreed.day_on as counted_on,
    agreed.person_id,
    agreed.decision_id as subject_id,
    null::numeric as numerator,
    1::numeric as denominator,
    agreed.days / 7.0 as amount,
    null::text as provider,
    agreed.placement_type
from agreed
where agreed.is_waiting
union all
select
    'P03' as measure,
    null::text as period_kind,
    taught.day_on as counted_on,
    taught.person_id,
    taught.person_id as subject_id,
    (reduced.person_id is not null)::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    placement.urn as provider,
    null::text as placement_type
from taught
left join reduced
    on
        taught.day_on = reduced.day_on
        and taught.person_id = reduced.person_id
left join {{ ref('int_placement__current') }} as placement
    on taught.person_id = placement.person_id
union all
select
    'P03_reviewed' as measure,
    null::text as period_kind,
    timetable.started_on as counted_on,
    timetable.person_id,
    timetable.timetable_id as subject_id,
    coalesce(
        timetable.reviewed_on - timetable.started_on <= {{ threshold('part_time_timetable_review') }}, false
    )::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    timetable.urn as provider,
    null::text as placement_type
from {{ ref('stg_part_time_timetables__timetable') }} as timetable
where
    timetable.sen_provision = 'E'
    and not timetable.is_medical
    and timetable.started_on <= {{ as_of() }}
union all
select
    measured.measure,
    null::text as period_kind,
    measured.started_on as counted_on,
    measured.person_id,
    measured.person_id as subject_id,
    measured.is_counted::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    null::text as placement_type
from home_measure as measured
