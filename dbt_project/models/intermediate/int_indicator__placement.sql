-- Placement, home education and life after 16. What is attended is the placement of rank 1 in SEN2, on the day of the return. At an earlier
-- month's end only what the registers still tell of it is given: not the share that waits, because who was placed long ago is in none.
with named as (
    select
        detail._delivery_id,
        detail.sen2_named_plan_id,
        min(detail.urn) as urn,
        min(detail.ukprn) as ukprn
    from {{ ref('stg_sen2__plan_detail') }} as detail
    where detail.placement_rank = 1
    group by detail._delivery_id, detail.sen2_named_plan_id
),

-- What the return tells is of its day: ages too.
returned as (
    select period.period_to_on as day_on
    from {{ ref('int_period') }} as period
    where period.period_kind = 'sen2_return'
),

plan as (
    select
        active.person_id,
        returned.day_on,
        {{ age_at('child.date_of_birth_on', 'returned.day_on') }} as age_years,
        {{ is_school_age('child.date_of_birth_on', 'returned.day_on') }} as is_school_age,
        named.urn is not null or named.ukprn is not null as is_named,
        -- A college may be named by one number and attended by the other.
        case
            when named.urn is not null and placement.urn is not null then named.urn = placement.urn
            else coalesce(named.ukprn, named_place.ukprn) = coalesce(placement.ukprn, attended.ukprn)
        end as is_named_attended,
        coalesce(placement.placement_type <> 'out_of_school', placement.person_id is not null) as is_in_a_place,
        placement.urn,
        placement.sen_setting,
        placement.placement_type,
        coalesce(placement.work_based, active.work_based) as work_based
    from {{ ref('int_plan__active') }} as active
    inner join {{ ref('int_child__identified') }} as child
        on active.person_id = child.person_id
    cross join returned
    left join named
        on
            active._delivery_id = named._delivery_id
            and active.sen2_named_plan_id = named.sen2_named_plan_id
    left join {{ ref('int_placement__current') }} as placement
        on active.person_id = placement.person_id
    left join {{ ref('stg_gias__establishment') }} as named_place
        on named.urn = named_place.urn
    left join {{ ref('stg_gias__establishment') }} as attended
        on placement.urn = attended.urn
),

plan_measure as (
    select
        measured.measure,
        plan.day_on,
        plan.person_id,
        plan.urn,
        coalesce(measured.is_counted, false) as is_counted
    from plan
    cross join
        lateral (
            values
            ('P02', plan.is_named, plan.is_named_attended),
            ('P04', plan.is_school_age, not plan.is_in_a_place),
            ('P05_mainstream', true, plan.placement_type = 'mainstream'),
            ('P05_special', true, plan.placement_type = 'special'),
            ('P05_independent_special', true, plan.placement_type = 'independent_special'),
            ('E01', true, plan.sen_setting = 'EHE'),
            -- Who has no place, or is out of education for another reason or with notice of the plan's end, is not in it either.
            ('D01', plan.age_years between 16 and 25, plan.is_in_a_place),
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

-- A case ends with its latest plan.
ended as (
    select distinct on (version.case_id)
        version.case_id,
        version.ceased_on
    from {{ ref('stg_ehc_casework__plan') }} as version
    where version.final_on is not null
    order by
        version.case_id asc,
        version.final_on desc,
        version.plan_id desc
),

agreed as (
    select
        month_end.day_on,
        month_end.is_headline,
        decision.decision_id,
        decision.decided_on,
        ehc_case.person_id,
        coalesce(ehc_case.person_id, decision.case_id, decision.decision_id) as child,
        kind.placement_type,
        coalesce(decision.placed_on > month_end.day_on, true) as is_waiting
    from {{ ref('stg_ehc_casework__panel_decision') }} as decision
    left join {{ ref('stg_ehc_casework__case') }} as ehc_case
        on decision.case_id = ehc_case.case_id
    left join ended
        on decision.case_id = ended.case_id
    left join {{ ref('placement_types') }} as kind
        on
            decision.specialist_need = kind.pattern
            and kind.compared = 'place agreed'
    inner join month_end
        on {{ is_open('decision.decided_on', 'least(decision.withdrawn_on, ended.ceased_on)', 'month_end.day_on') }}
    where
        decision.decision = 'agreed'
        and decision.specialist_need is not null
),

-- Of a child for whom several places were agreed the latest decision says which is waited for, and the earliest without a place since when.
awaited as (
    select distinct on (agreed.day_on, agreed.child)
        agreed.*,
        agreed.day_on - min(agreed.decided_on) filter (where agreed.is_waiting) over (partition by agreed.day_on, agreed.child) as days
    from agreed
    order by
        agreed.day_on asc,
        agreed.child asc,
        agreed.decided_on desc,
        agreed.decision_id desc
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

-- What the return tells of home education once a year, the register tells at the end of each term.
term_end as (
    select period.period_to_on as day_on
    from {{ ref('int_period') }} as period
    where
        period.period_kind = 'term'
        and period.period_to_on >= {{ registers_since() }}
),

planned as (
    select distinct
        term_end.day_on,
        version.person_id
    from {{ ref('int_plan__dated') }} as version
    inner join term_end
        on {{ is_open('version.started_on', 'version.ended_on', 'term_end.day_on') }}
),

at_home as (
    select distinct
        term_end.day_on,
        entry.person_id
    from {{ ref('int_home_education__entered') }} as entry
    inner join term_end
        on {{ is_open('entry.started_on', 'entry.ended_on', 'term_end.day_on') }}
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
        )::date
        -- Who is too old for school left home education for something else.
        and coalesce({{ age_at('child.date_of_birth_on', school_year_eve('entry.ended_on')) }} <= 15, true) as has_returned
    from {{ ref('int_home_education__entered') }} as entry
    left join {{ ref('int_child__identified') }} as child
        on entry.person_id = child.person_id
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
    'sen2_return' as period_kind,
    measured.day_on as counted_on,
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
    'E01' as measure,
    'term' as period_kind,
    planned.day_on as counted_on,
    planned.person_id,
    planned.person_id as subject_id,
    (at_home.person_id is not null)::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    null::text as placement_type
from planned
left join at_home
    on
        planned.day_on = at_home.day_on
        and planned.person_id = at_home.person_id
union all
select
    'P01_waiting' as measure,
    null::text as period_kind,
    awaited.day_on as counted_on,
    awaited.person_id,
    awaited.child as subject_id,
    awaited.is_waiting::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    awaited.placement_type
from awaited
where awaited.is_headline
union all
select
    'P01_weeks' as measure,
    null::text as period_kind,
    awaited.day_on as counted_on,
    awaited.person_id,
    awaited.child as subject_id,
    null::numeric as numerator,
    1::numeric as denominator,
    awaited.days / 7.0 as amount,
    null::text as provider,
    awaited.placement_type
from awaited
where awaited.is_waiting
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
    -- What is not yet due is neither in time nor late.
    and timetable.started_on + {{ threshold('part_time_timetable_review') }} <= timetable.reference_on
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
