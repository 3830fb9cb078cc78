-- What is in time is as the clocks say. Counted are days of which the feeds tell all: from 1 January of the year before the earliest return
-- or extract to the last month that had ended by the latest.
with told_of as (
    select
        told.feed,
        make_date(extract(year from min(told.reference_on))::integer - 1, 1, 1) as told_from_on,
        (date_trunc('month', max(told.reference_on) + 1) - interval '1 day')::date as told_to_on,
        max(told.reference_on) as latest_on
    from (
        select distinct
            'sen2' as feed,
            person.reference_on
        from {{ ref('stg_sen2__person') }} as person
        union all
        select distinct
            'ehc_casework' as feed,
            ehc_case.reference_on
        from {{ ref('stg_ehc_casework__case') }} as ehc_case
    ) as told
    where told.reference_on is not null
    group by told.feed
),

-- A plan that was transferred in was neither asked for nor made here.
request as (
    select settled.*
    from {{ ref('int_ehc_request__settled') }} as settled
    where not settled.is_transferred_in
),

request_started as (
    select
        timed.clock,
        '' as part,
        request.person_id,
        request.request_key as subject_id,
        request.received_on as started_on,
        timed.stopped_on,
        request.has_exception as is_exempt,
        null::text as exemption
    from request
    cross join
        lateral (
            values
            ('CLK01', request.request_outcome_on),
            ('CLK03', case when request.assessment_outcome = 'N' then request.assessment_outcome_on end),
            ('CLK05', case when request.assessment_outcome = 'Y' then request.assessment_outcome_on end)
        ) as timed (clock, stopped_on)
    where request.received_on is not null
),

request_clock as (
    {{ with_due_dates('request_started') }}
),

-- The three last days in time of a request.
request_due as (
    select
        clock.subject_id,
        max(clock.due_on) filter (where clock.clock = 'CLK01') as decision_due_on,
        max(clock.due_on) filter (where clock.clock = 'CLK03') as refusal_due_on,
        max(clock.due_on) filter (where clock.clock = 'CLK05') as plan_due_on
    from request_clock as clock
    group by clock.subject_id
),

very_late as (
    select {{ threshold('plan_long_overdue') }} as over_days
),

of_request as (
    select
        'sen2' as feed,
        measured.measure,
        measured.counted_on,
        request.person_id,
        request.request_key as subject_id,
        case when measured.has_numerator then coalesce(measured.is_met, false)::integer end as numerator,
        case when measured.has_denominator then 1 end as denominator,
        measured.amount
    from request
    cross join very_late
    left join request_due as due
        on request.request_key = due.subject_id
    cross join
        lateral (
            values
            (
                'EHC01', request.assessment_outcome = 'Y' and not request.has_exception, request.assessment_outcome_on,
                true, request.assessment_outcome_on <= due.plan_due_on, true, null::numeric
            ),
            (
                'EHC02', request.assessment_outcome = 'Y', request.assessment_outcome_on,
                true, request.assessment_outcome_on <= due.plan_due_on, true, null
            ),
            (
                'EHC03', request.assessment_outcome = 'Y' and not request.has_exception, request.assessment_outcome_on,
                true, request.assessment_outcome_on - request.received_on > very_late.over_days, true, null
            ),
            (
                'EHC05', request.request_outcome in ('Y', 'N'), request.request_outcome_on,
                true, request.request_outcome_on <= due.decision_due_on, true, null
            ),
            (
                'EHC06', request.assessment_outcome = 'N' and not request.has_exception, request.assessment_outcome_on,
                true, request.assessment_outcome_on <= due.refusal_due_on, true, null
            ),
            ('EHC08', true, request.received_on, true, true, false, null),
            (
                'EHC09', request.request_outcome in ('Y', 'N'), request.request_outcome_on,
                true, request.request_outcome = 'N', true, null
            ),
            (
                'EHC11', request.assessment_outcome = 'Y', request.assessment_outcome_on,
                true, request.has_exception, true, null
            ),
            (
                'EHC04_mean', request.assessment_outcome = 'Y', request.assessment_outcome_on,
                false, null, true, (request.assessment_outcome_on - request.received_on) / 7.0
            ),
            (
                'EHC04_median', request.assessment_outcome = 'Y', request.assessment_outcome_on,
                false, null, true, (request.assessment_outcome_on - request.received_on) / 7.0
            ),
            (
                'EHC04_p90', request.assessment_outcome = 'Y', request.assessment_outcome_on,
                false, null, true, (request.assessment_outcome_on - request.received_on) / 7.0
            )
        ) as measured (measure, is_counted, counted_on, has_numerator, is_met, has_denominator, amount)
    where measured.is_counted
),

advice as (
    select
        body.measure,
        clock.person_id,
        advice.advice_id,
        advice.provider,
        clock.due_on,
        clock.stopped_on as received_on,
        coalesce(clock.stopped_on <= clock.due_on, false)::integer as is_met
    from {{ ref('int_clock__casework') }} as clock
    inner join {{ ref('stg_ehc_casework__advice') }} as advice
        on clock.subject_id = advice.advice_id
    inner join (
        values ('EHC12', 'educational_psychology'), ('EHC13', 'health'), ('EHC14', 'social_care')
    ) as body (measure, advice_body)
        on advice.advice_body = body.advice_body
    where
        clock.clock = 'CLK02'
        and not clock.is_exempt
),

-- Advice counts in the period in which it was due, and in the one in which it came where that is another.
of_advice as (
    select
        advice.measure,
        null::text as period_kind,
        advice.due_on as counted_on,
        advice.person_id,
        advice.advice_id as subject_id,
        advice.is_met,
        advice.provider
    from advice
    union all
    select
        advice.measure,
        kind.period_kind,
        advice.received_on as counted_on,
        advice.person_id,
        advice.advice_id as subject_id,
        advice.is_met,
        advice.provider
    from advice
    cross join (values ('calendar_year', 'year'), ('quarter', 'quarter'), ('month', 'month')) as kind (period_kind, unit)
    where date_trunc(kind.unit, advice.received_on) <> date_trunc(kind.unit, advice.due_on)
),

-- A draft for which no advice was asked has none of it; a plan from another authority was drafted there.
of_draft as (
    select
        'EHC15' as measure,
        ehc_case.draft_on as counted_on,
        ehc_case.person_id,
        ehc_case.case_id as subject_id,
        coalesce(bool_and(not advice.is_required or coalesce(advice.received_on <= ehc_case.draft_on, false)), false)::integer as is_met
    from {{ ref('stg_ehc_casework__case') }} as ehc_case
    left join {{ ref('stg_ehc_casework__advice') }} as advice
        on ehc_case.case_id = advice.case_id
    where
        ehc_case.draft_on is not null
        and ehc_case.route <> 'transfer_in'
    group by ehc_case.case_id, ehc_case.draft_on, ehc_case.person_id
),

-- By guidance younger children are reviewed more often, and a plan that ended before the day was not due.
of_review as (
    select
        case clock.clock
            when 'CLK06' then 'AR01'
            when 'CLK08' then 'AR06'
            when 'CLK09' then 'AR02'
            when 'CLK10' then 'AR04'
            when 'CLK12' then 'AR03'
        end as measure,
        case
            when clock.clock = 'CLK08' then review.meeting_on
            when clock.clock in ('CLK09', 'CLK10') then review.decided_on
            else clock.due_on
        end as counted_on,
        clock.person_id,
        clock.subject_id,
        coalesce(clock.stopped_on <= clock.due_on, false)::integer as is_met
    from {{ ref('int_clock__casework') }} as clock
    inner join {{ ref('int_annual_review__dated') }} as review
        on clock.subject_id = review.review_id
    where
        clock.clock in ('CLK09', 'CLK10', 'CLK12')
        -- A report that is not yet due is neither in time nor late.
        or (clock.clock = 'CLK08' and clock.due_on <= review.reference_on)
        or (
            clock.clock = 'CLK06'
            and coalesce(review.plan_ceased_on >= clock.due_on, true)
            and coalesce({{ age_at('review.date_of_birth_on', 'clock.due_on') }} >= 5, true)
        )
),

of_casework as (
    select
        of_advice.measure,
        of_advice.period_kind,
        of_advice.counted_on,
        of_advice.person_id,
        of_advice.subject_id,
        of_advice.is_met,
        of_advice.provider
    from of_advice
    union all
    select
        other.measure,
        null::text as period_kind,
        other.counted_on,
        other.person_id,
        other.subject_id,
        other.is_met,
        null::text as provider
    from (
        select * from of_draft
        union all
        select * from of_review
    ) as other
),

own_district as (
    select distinct district.organisation_code as district_code
    from {{ ref('organisations') }} as body
    inner join {{ ref('stg_organisations__organisation') }} as council
        on body.name = council.organisation_name
    inner join {{ ref('stg_organisations__organisation') }} as district
        on council.organisation_code = district.parent_code
    where
        body.partnership = '{{ var("partnership") }}'
        and body.role = 'council'
        and district.role = 'district'
),

-- The estimates are of the council's districts, where the list of organisations says which those are.
population as (
    select
        extract(year from estimate.reference_on)::integer as estimated_year,
        sum(estimate.population) as people
    from {{ ref('stg_population__population') }} as estimate
    left join own_district as district
        on estimate.district_code = district.district_code
    where
        estimate.age_years <= 25
        and (district.district_code is not null or not exists (select from own_district))
    group by extract(year from estimate.reference_on)
),

-- People of the period: as estimated for its year, else for the nearest.
of_population as (
    select distinct on (period.period_kind, period.period_to_on)
        period.period_kind,
        period.period_to_on as counted_on,
        population.people
    from {{ ref('int_period') }} as period
    inner join told_of
        on
            told_of.feed = 'sen2'
            and period.period_from_on >= told_of.told_from_on
            and period.period_to_on <= told_of.told_to_on
    cross join population
    where period.period_kind in ('calendar_year', 'quarter', 'month')
    order by
        period.period_kind asc,
        period.period_to_on asc,
        abs(population.estimated_year - extract(year from period.period_to_on)) asc,
        population.estimated_year desc
),

-- The return tells once a year who was open; the casework tells it of the end of every month.
open_started as (
    select
        parameter.clock,
        parameter.part,
        ehc_case.person_id,
        ehc_case.case_id as subject_id,
        ehc_case.received_on as started_on,
        null::date as stopped_on,
        false as is_exempt,
        null::text as exemption
    from {{ ref('stg_ehc_casework__case') }} as ehc_case
    cross join (values ('CLK05', '')) as parameter (clock, part)
    where
        ehc_case.assess_outcome = 'Y'
        and ehc_case.route = 'request'
        and not ehc_case.has_issue_exception
),

open_clock as (
    {{ with_due_dates('open_started') }}
),

of_open_case as (
    select
        ehc_case.person_id,
        ehc_case.case_id as subject_id,
        next_month.first_on::date - 1 as counted_on,
        coalesce(clock.due_on < next_month.first_on::date - 1, false)::integer as is_met
    from open_clock as clock
    inner join {{ ref('stg_ehc_casework__case') }} as ehc_case
        on clock.subject_id = ehc_case.case_id
    inner join told_of
        on told_of.feed = 'ehc_casework'
    cross join
        lateral generate_series(
            date_trunc('month', greatest(ehc_case.assess_decided_on, told_of.told_from_on)) + interval '1 month',
            least(ehc_case.issue_decided_on, ehc_case.closed_on, told_of.told_to_on + 1, ehc_case.reference_on + 1),
            interval '1 month'
        ) as next_month (first_on)
),

of_census as (
    select
        term.census_on as counted_on,
        plan.person_id
    from {{ ref('census_terms') }} as term
    inner join told_of
        on
            told_of.feed = 'sen2'
            and term.census_on between told_of.told_from_on and told_of.latest_on
    cross join {{ ref('int_plan__in_force') }} as plan
    where
        term.term = 'spring'
        and {{ is_open('plan.started_on', 'plan.ceased_on', 'term.census_on') }}
),

-- A year's transfers are counted when the feed tells of them to their last day.
-- Plans and statements of January 2015 are as published: no feed goes back so far.
of_growth as (
    select
        of_census.counted_on,
        count(*) as plans,
        benchmark.value as plans_before
    from of_census
    inner join {{ ref('benchmarks') }} as benchmark
        on
            benchmark.measure = 'EHC10'
            and benchmark.geography_code = '{{ var("partnership") }}'
            and extract(year from benchmark.period_to_on) = 2015
    group by of_census.counted_on, benchmark.value
),

of_transfer as (
    select
        case clock.clock when 'CLK13' then 'PT01' when 'CLK14' then 'PT02' else 'PT03' end as measure,
        case clock.clock when 'CLK15' then clock.started_on else clock.due_on end as counted_on,
        clock.person_id,
        clock.subject_id,
        coalesce(clock.stopped_on <= clock.due_on, false)::integer as is_met
    from {{ ref('int_clock__casework') }} as clock
    inner join told_of
        on
            told_of.feed = case clock.clock when 'CLK15' then 'ehc_casework' else 'sen2' end
            and clock.due_on between told_of.told_from_on and told_of.latest_on
    where clock.clock in ('CLK13', 'CLK14', 'CLK15')
),

-- Plans of the casework, from the day that the first was sent to the day that the latest version ended.
plan as (
    select
        ehc_case.case_id,
        coalesce(ehc_case.person_id, ehc_case.case_id) as holder,
        ehc_case.person_id,
        min(version.final_on) as issued_on,
        (array_agg(version.ceased_on order by version.final_on desc, version.plan_id desc))[1] as ceased_on,
        max(version.reference_on) as last_told_on
    from {{ ref('stg_ehc_casework__plan') }} as version
    inner join {{ ref('stg_ehc_casework__case') }} as ehc_case
        on version.case_id = ehc_case.case_id
    where version.final_on is not null
    group by ehc_case.case_id, ehc_case.person_id
),

-- Each is told of at the ends of months by the first day of the next, from the one after it began to the one by which it had ended.
in_force as (
    select
        plan.case_id,
        plan.holder,
        plan.person_id,
        next_month.first_on::date - 1 as counted_on
    from plan
    inner join told_of
        on told_of.feed = 'ehc_casework'
    cross join
        lateral generate_series(
            date_trunc('month', greatest(plan.issued_on, told_of.told_from_on)) + interval '1 month',
            least(plan.ceased_on, told_of.told_to_on + 1, plan.last_told_on + 1),
            interval '1 month'
        ) as next_month (first_on)
),

overdue as (
    select distinct
        review.case_id,
        next_month.first_on::date - 1 as counted_on
    from {{ ref('int_clock__casework') }} as clock
    inner join {{ ref('int_annual_review__dated') }} as review
        on clock.subject_id = review.review_id
    inner join told_of
        on told_of.feed = 'ehc_casework'
    cross join
        lateral generate_series(
            date_trunc('month', greatest(clock.due_on + 1, told_of.told_from_on)) + interval '1 month',
            least(clock.stopped_on, told_of.told_to_on + 1, review.reference_on + 1),
            interval '1 month'
        ) as next_month (first_on)
    where clock.clock = 'CLK06'
),

of_month_end as (
    select
        in_force.counted_on,
        in_force.person_id,
        in_force.holder as subject_id,
        bool_or(overdue.case_id is not null)::integer as is_met
    from in_force
    left join overdue
        on
            in_force.case_id = overdue.case_id
            and in_force.counted_on = overdue.counted_on
    group by in_force.counted_on, in_force.person_id, in_force.holder
),

counted as (
    select
        of_request.measure,
        null::text as period_kind,
        of_request.counted_on,
        of_request.person_id,
        of_request.subject_id,
        of_request.numerator,
        of_request.denominator,
        of_request.amount,
        null::text as provider
    from of_request
    inner join told_of
        on
            of_request.feed = told_of.feed
            and of_request.counted_on between told_of.told_from_on and told_of.told_to_on
    union all
    select
        of_casework.measure,
        of_casework.period_kind,
        of_casework.counted_on,
        of_casework.person_id,
        of_casework.subject_id,
        of_casework.is_met as numerator,
        1 as denominator,
        null as amount,
        of_casework.provider
    from of_casework
    inner join told_of
        on
            told_of.feed = 'ehc_casework'
            and of_casework.counted_on between told_of.told_from_on and told_of.told_to_on
    union all
    select
        'EHC08' as measure,
        of_population.period_kind,
        of_population.counted_on,
        null as person_id,
        'population' as subject_id,
        0 as numerator,
        of_population.people as denominator,
        null as amount,
        null as provider
    from of_population
    union all
    select
        'EHC07' as measure,
        null as period_kind,
        of_open_case.counted_on,
        of_open_case.person_id,
        of_open_case.subject_id,
        of_open_case.is_met as numerator,
        1 as denominator,
        null as amount,
        null as provider
    from of_open_case
    union all
    select
        'EHC10' as measure,
        null as period_kind,
        of_census.counted_on,
        of_census.person_id,
        of_census.person_id as subject_id,
        1 as numerator,
        null as denominator,
        null as amount,
        null as provider
    from of_census
    union all
    select
        'EHC10_growth' as measure,
        null as period_kind,
        of_growth.counted_on,
        null as person_id,
        'plans' as subject_id,
        of_growth.plans as numerator,
        of_growth.plans_before as denominator,
        null as amount,
        null as provider
    from of_growth
    union all
    select
        of_transfer.measure,
        null as period_kind,
        of_transfer.counted_on,
        of_transfer.person_id,
        of_transfer.subject_id,
        of_transfer.is_met as numerator,
        1 as denominator,
        null as amount,
        null as provider
    from of_transfer
    union all
    select
        'AR05' as measure,
        null as period_kind,
        of_month_end.counted_on,
        of_month_end.person_id,
        of_month_end.subject_id,
        of_month_end.is_met as numerator,
        1 as denominator,
        null as amount,
        null as provider
    from of_month_end
)

select
    counted.measure,
    counted.period_kind,
    counted.counted_on,
    counted.person_id,
    counted.subject_id,
    counted.numerator::numeric as numerator,
    counted.denominator::numeric as denominator,
    counted.amount::numeric as amount,
    counted.provider,
    null::text as placement_type
from counted
