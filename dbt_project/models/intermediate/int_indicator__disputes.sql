-- What is counted of enquiries, complaints, mediation, appeals and the Ombudsman, and of the priority action plan. The register of plans
-- leaves out what ended long ago: before the first end that it tells of, it cannot say how many plans there were. What no extract has
-- told of yet did not fail to happen: counted are days up to the end of the last month that had ended by the latest extract.
with known as (
    select
        date_trunc('month', min(least(plan.replaced_on, plan.ceased_on)))::date as known_from_on,
        {{ last_month_end('max(plan.reference_on)') }} as known_to_on
    from {{ ref('stg_ehc_casework__plan') }} as plan
),

told as (
    select
        register.feed,
        max(register.reference_on) as latest_on,
        {{ last_month_end('max(register.reference_on)') }} as told_to_on
    from (
        select
            'disputes' as feed,
            complaint.reference_on
        from {{ ref('stg_disputes__complaint') }} as complaint
        union all
        select
            'disputes' as feed,
            appeal.reference_on
        from {{ ref('stg_disputes__appeal') }} as appeal
        union all
        select
            'disputes' as feed,
            mediation.reference_on
        from {{ ref('stg_disputes__mediation') }} as mediation
        union all
        select
            'disputes' as feed,
            ombudsman.reference_on
        from {{ ref('stg_disputes__ombudsman') }} as ombudsman
        union all
        select
            'contact_log' as feed,
            enquiry.reference_on
        from {{ ref('stg_contact_log__enquiry') }} as enquiry
        union all
        select
            'contact_log' as feed,
            sendiass.reference_on
        from {{ ref('stg_contact_log__sendiass_case') }} as sendiass
    ) as register
    where register.reference_on is not null
    group by register.feed
),

-- Periods with the day of the spring census in their year.
period as (
    select
        period.period_kind,
        period.period_to_on,
        census.census_on
    from {{ ref('int_period') }} as period
    inner join {{ ref('census_terms') }} as census
        on
            extract(year from period.period_to_on) = extract(year from census.census_on)
            and census.term = 'spring'
    cross join known
    where
        period.period_kind in ('calendar_year', 'quarter', 'month')
        and period.period_from_on >= coalesce(known.known_from_on, period.period_from_on)
        and period.period_to_on <= known.known_to_on
),

-- Of what happens for so many plans: whether it is the plans in January, and since when its register tells of it.
begun as (
    select
        'C01' as measure,
        false as is_of_january,
        min(complaint.received_on) as told_from_on
    from {{ ref('int_complaint__timed') }} as complaint
    union all
    select
        'C06' as measure,
        false as is_of_january,
        min(sendiass.opened_on) as told_from_on
    from {{ ref('stg_contact_log__sendiass_case') }} as sendiass
    union all
    select
        'T01' as measure,
        true as is_of_january,
        min(appeal.registered_on) as told_from_on
    from {{ ref('stg_disputes__appeal') }} as appeal
    union all
    select
        'T05_held' as measure,
        true as is_of_january,
        min(mediation.contacted_on) as told_from_on
    from {{ ref('stg_disputes__mediation') }} as mediation
),

rate as (
    select
        begun.measure,
        begun.is_of_january,
        begun.told_from_on,
        told.told_to_on
    from begun
    inner join told
        on case begun.measure when 'C06' then 'contact_log' else 'disputes' end = told.feed
),

held as (
    select distinct
        day.day_on,
        coalesce(plan.case_id, plan.plan_id) as case_id,
        request.person_id
    from (
        select period.period_to_on as day_on
        from period
        union
        select period.census_on as day_on
        from period
    ) as day
    cross join {{ ref('stg_ehc_casework__plan') }} as plan
    left join {{ ref('stg_ehc_casework__case') }} as request
        on plan.case_id = request.case_id
    where {{ is_open('plan.final_on', 'least(plan.replaced_on, plan.ceased_on)', 'day.day_on') }}
),

held_then as (
    select
        held.day_on,
        count(*) as plans
    from held
    group by held.day_on
),

-- Plans are there in every month: child by child they are counted for the year alone, in shorter periods as a number.
stock as (
    select
        rate.measure,
        period.period_kind,
        period.period_to_on as counted_on,
        held.person_id,
        'plan ' || held.case_id as subject_id,
        1 as denominator
    from period
    inner join rate
        on period.period_to_on between rate.told_from_on and rate.told_to_on
    inner join held
        on case when rate.is_of_january then period.census_on else period.period_to_on end = held.day_on
    where period.period_kind = 'calendar_year' and rate.measure <> 'C06'
    union all
    select
        rate.measure,
        period.period_kind,
        period.period_to_on as counted_on,
        null as person_id,
        'plans' as subject_id,
        held_then.plans as denominator
    from period
    inner join rate
        on period.period_to_on between rate.told_from_on and rate.told_to_on
    inner join held_then
        on case when rate.is_of_january then period.census_on else period.period_to_on end = held_then.day_on
    where period.period_kind <> 'calendar_year' or rate.measure = 'C06'
),

-- What could be appealed against besides the plans held in January (Ministry of Justice, note 1 to its table of appeals).
decision as (
    select
        request.person_id,
        'request ' || request.case_id as subject_id,
        request.assess_decided_on as decided_on
    from {{ ref('stg_ehc_casework__case') }} as request
    where request.assess_outcome = 'N'
    union all
    select
        request.person_id,
        'assessment ' || request.case_id as subject_id,
        request.issue_decided_on as decided_on
    from {{ ref('stg_ehc_casework__case') }} as request
    where request.issue_outcome = 'N'
    union all
    select
        request.person_id,
        'end of plan ' || plan.plan_id as subject_id,
        plan.ceased_on as decided_on
    from {{ ref('stg_ehc_casework__plan') }} as plan
    left join {{ ref('stg_ehc_casework__case') }} as request
        on plan.case_id = request.case_id
    where plan.cease_reason = '2'
),

edition as (
    select distinct on (period.period_to_on)
        period.period_to_on as day_on,
        action._delivery_id
    from {{ ref('int_period') }} as period
    inner join (
        select distinct
            action._delivery_id,
            action.reference_on
        from {{ ref('stg_improvement_plan__action') }} as action
    ) as action
        on period.period_to_on >= action.reference_on
    where period.period_kind = 'month_end'
    order by
        period.period_to_on asc,
        action.reference_on desc,
        action._delivery_id asc
),

counted as (
    select
        'C01' as measure,
        null as period_kind,
        complaint.received_on as counted_on,
        complaint.person_id,
        'complaint ' || complaint.complaint_id as subject_id,
        1 as numerator,
        0 as denominator
    from {{ ref('int_complaint__timed') }} as complaint
    where complaint.stage = '1'
    union all
    select
        'C02' as measure,
        null as period_kind,
        complaint.received_on as counted_on,
        complaint.person_id,
        'complaint ' || complaint.complaint_id as subject_id,
        coalesce(complaint.theme = 'communication', false)::integer as numerator,
        1 as denominator
    from {{ ref('int_complaint__timed') }} as complaint
    where complaint.stage = '1'
    union all
    select
        'C03_stage_' || complaint.stage as measure,
        null as period_kind,
        complaint.closed_on as counted_on,
        complaint.person_id,
        'complaint ' || complaint.complaint_id as subject_id,
        coalesce(complaint.is_replied_in_time, false)::integer as numerator,
        1 as denominator
    from {{ ref('int_complaint__timed') }} as complaint
    where complaint.stage in ('1', '2')
    union all
    select
        'C04' as measure,
        null as period_kind,
        ombudsman.decided_on as counted_on,
        ombudsman.person_id,
        'ombudsman ' || ombudsman.ombudsman_id as subject_id,
        (ombudsman.decision <> 'not_upheld')::integer as numerator,
        1 as denominator
    from {{ ref('stg_disputes__ombudsman') }} as ombudsman
    where ombudsman.decision in ('upheld', 'upheld_no_injustice', 'not_upheld')
    union all
    select
        'C05' as measure,
        null as period_kind,
        enquiry.received_on as counted_on,
        enquiry.person_id,
        'enquiry ' || enquiry.enquiry_id as subject_id,
        coalesce(enquiry.is_answered_in_time, false)::integer as numerator,
        1 as denominator
    from {{ ref('int_enquiry__timed') }} as enquiry
    inner join told
        on
            told.feed = 'contact_log'
            and enquiry.due_on <= told.latest_on
    union all
    select
        'C06' as measure,
        null as period_kind,
        sendiass.opened_on as counted_on,
        null as person_id,
        'sendiass ' || sendiass.sendiass_case_id as subject_id,
        1 as numerator,
        0 as denominator
    from {{ ref('stg_contact_log__sendiass_case') }} as sendiass
    union all
    select
        stock.measure,
        stock.period_kind,
        stock.counted_on,
        stock.person_id,
        stock.subject_id,
        0 as numerator,
        stock.denominator
    from stock
    union all
    select
        rate.measure,
        period.period_kind,
        decision.decided_on as counted_on,
        decision.person_id,
        decision.subject_id,
        0 as numerator,
        1 as denominator
    from decision
    inner join {{ ref('int_period_day') }} as day
        on decision.decided_on = day.day_on
    inner join period
        on
            day.period_kind = period.period_kind
            and day.period_to_on = period.period_to_on
    inner join rate
        on
            period.period_to_on between rate.told_from_on and rate.told_to_on
            and rate.is_of_january
    union all
    select
        'T01' as measure,
        null as period_kind,
        appeal.registered_on as counted_on,
        appeal.person_id,
        'appeal ' || appeal.appeal_id as subject_id,
        1 as numerator,
        0 as denominator
    from {{ ref('stg_disputes__appeal') }} as appeal
    union all
    select
        kind.measure,
        null as period_kind,
        appeal.registered_on as counted_on,
        appeal.person_id,
        'appeal ' || appeal.appeal_id as subject_id,
        coalesce('T02_' || appeal.decision_kind = kind.measure, false)::integer as numerator,
        1 as denominator
    from {{ ref('stg_disputes__appeal') }} as appeal
    cross join {{ ref('indicator_measures') }} as kind
    where kind.indicator_code = 'T02'
    union all
    select
        'T03' as measure,
        null as period_kind,
        appeal.closed_on as counted_on,
        appeal.person_id,
        'appeal ' || appeal.appeal_id as subject_id,
        coalesce(appeal.outcome in ('conceded', 'settled'), false)::integer as numerator,
        1 as denominator
    from {{ ref('stg_disputes__appeal') }} as appeal
    union all
    select
        'T04' as measure,
        null as period_kind,
        appeal.order_due_on as counted_on,
        appeal.person_id,
        'appeal ' || appeal.appeal_id as subject_id,
        coalesce(appeal.complied_on <= appeal.order_due_on, false)::integer as numerator,
        1 as denominator
    from {{ ref('int_appeal__due') }} as appeal
    where appeal.order_on is not null
    union all
    select
        measure.measure,
        null as period_kind,
        mediation.held_on as counted_on,
        mediation.person_id,
        'mediation ' || mediation.mediation_id as subject_id,
        case measure.measure
            when 'T05_held' then 1 else coalesce(mediation.outcome = 'agreed', false)::integer
        end as numerator,
        case measure.measure when 'T05_held' then 0 else 1 end as denominator
    from {{ ref('stg_disputes__mediation') }} as mediation
    cross join (values ('T05_held'), ('T05_agreed')) as measure (measure)
    union all
    select
        'T06' as measure,
        null as period_kind,
        clock.started_on as counted_on,
        clock.person_id,
        clock.subject_id,
        coalesce(clock.stopped_on <= clock.due_on, false)::integer as numerator,
        1 as denominator
    from {{ ref('int_clock__disputes') }} as clock
    inner join told
        on
            told.feed = 'disputes'
            and clock.due_on <= told.latest_on
    where clock.clock = 'CLK18'
    union all
    select
        'G05' as measure,
        'month_end' as period_kind,
        edition.day_on as counted_on,
        null as person_id,
        'action ' || action.action_id as subject_id,
        coalesce(action.status in ('complete', 'green'), false)::integer as numerator,
        1 as denominator
    from edition
    inner join {{ ref('stg_improvement_plan__action') }} as action
        on edition._delivery_id = action._delivery_id
)

select
    counted.measure,
    counted.period_kind::text as period_kind,
    counted.counted_on,
    counted.person_id,
    counted.subject_id,
    counted.numerator::numeric as numerator,
    counted.denominator::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    null::text as placement_type
from counted
left join told
    on
        case
            when counted.measure in ('C05', 'C06') then 'contact_log'
            when counted.measure <> 'G05' then 'disputes'
        end = told.feed
where counted.counted_on <= coalesce(told.told_to_on, {{ as_of() }})
