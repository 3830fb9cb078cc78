-- What is not owed has no clock: a request that was withdrawn by its last day, a review of a plan that ended before it was due. What was
-- still owed on that day and ended without it stays overdue. An extract has every open case and plan in force, so what is in an earlier one
-- alone is open no more; it stays overdue where it was so when it was last told of.
with ehc_case as (
    select
        told.*,
        coalesce(told.reference_on = max(told.reference_on) over (), false) as is_in_latest_extract,
        coalesce(told.assess_outcome, 'A') as assess_state,
        case when told.assess_outcome = 'W' then 'W' else coalesce(told.issue_outcome, 'A') end as issue_state,
        case when told.assess_outcome in ('Y', 'N', 'H') then told.assess_decided_on end as told_on,
        case when told.issue_outcome = 'Y' then told.issue_decided_on end as final_on,
        case when told.issue_outcome = 'N' then told.issue_decided_on end as refused_on
    from {{ ref('stg_ehc_casework__case') }} as told
),

advice as (
    select
        told.*,
        coalesce(told.reference_on = max(told.reference_on) over (), false) as is_in_latest_extract
    from {{ ref('stg_ehc_casework__advice') }} as told
),

-- A plan that is transferred in, and a case that the Tribunal ordered, have none of the clocks of a request. The letter that tells whether
-- a child whose plan came from elsewhere will be assessed tells when the plan will be reviewed.
of_case as (
    select
        timed.clock,
        timed.part,
        ehc_case.person_id,
        ehc_case.case_id as subject_id,
        timed.started_on,
        timed.stopped_on,
        timed.exemption,
        ehc_case.reference_on,
        ehc_case.is_in_latest_extract as is_taken_for_open,
        ehc_case.closed_on - 1 as owed_until_on
    from ehc_case
    cross join
        lateral (
            values
            (
                'CLK01', '', ehc_case.route = 'request', ehc_case.assess_state,
                ehc_case.received_on, ehc_case.told_on,
                case when ehc_case.has_assess_exception then 'regulation 5(4)' end
            ),
            (
                'CLK03', '', ehc_case.route = 'request' and ehc_case.issue_state = 'N', ehc_case.issue_state,
                ehc_case.received_on, ehc_case.refused_on,
                case when ehc_case.has_issue_exception then coalesce(ehc_case.issue_exception, 'regulation 10(4)') end
            ),
            (
                'CLK04', '',
                ehc_case.route <> 'transfer_in'
                and (ehc_case.issue_state = 'Y' or (ehc_case.issue_state = 'A' and ehc_case.closed_on is null)),
                ehc_case.issue_state, ehc_case.draft_on, ehc_case.final_on,
                null
            ),
            (
                'CLK05', '',
                ehc_case.route = 'request' and ehc_case.assess_state <> 'N' and ehc_case.issue_state <> 'N', ehc_case.issue_state,
                ehc_case.received_on, ehc_case.final_on,
                case when ehc_case.has_issue_exception then coalesce(ehc_case.issue_exception, 'regulation 13(3)') end
            ),
            (
                'CLK22', 'decide', ehc_case.route = 'reassessment', ehc_case.assess_state,
                ehc_case.received_on, ehc_case.told_on,
                null
            ),
            (
                'CLK22', 'final',
                ehc_case.route = 'reassessment' and ehc_case.assess_state = 'Y' and ehc_case.issue_state <> 'N', ehc_case.issue_state,
                ehc_case.told_on, ehc_case.final_on,
                case when ehc_case.has_issue_exception then coalesce(ehc_case.issue_exception, 'regulation 27') end
            ),
            (
                'CLK23', '', ehc_case.route = 'transfer_in', ehc_case.assess_state,
                ehc_case.received_on, ehc_case.told_on,
                null
            )
        ) as timed (clock, part, is_owed, state, started_on, stopped_on, exemption)
    where
        timed.is_owed
        and timed.started_on is not null
        -- Of a decision without its day, or a withdrawal without its own, nobody knows whether it came in time.
        and (
            timed.stopped_on is not null
            or (ehc_case.closed_on is null and timed.state <> 'W')
            or (ehc_case.closed_on is not null and timed.state in ('A', 'W'))
        )
),

of_advice as (
    select
        'CLK02' as clock,
        '' as part,
        coalesce(ehc_case.person_id, advice.person_id) as person_id,
        advice.advice_id as subject_id,
        advice.requested_on as started_on,
        advice.received_on as stopped_on,
        case when advice.is_required then advice.exception else 'regulation 6(4)' end as exemption,
        advice.reference_on,
        advice.is_in_latest_extract as is_taken_for_open,
        ehc_case.closed_on - 1 as owed_until_on
    from advice
    left join ehc_case
        on advice.case_id = ehc_case.case_id
    where
        advice.requested_on is not null
        and (advice.received_on is not null or ehc_case.closed_on is not null or coalesce(ehc_case.issue_state, 'A') <> 'W')
),

of_review as (
    select
        timed.clock,
        timed.part,
        review.person_id,
        review.review_id as subject_id,
        timed.started_on,
        timed.stopped_on,
        cast(null as text) as exemption,
        review.reference_on,
        review.is_in_latest_extract as is_taken_for_open,
        review.plan_ceased_on as owed_until_on
    from {{ ref('int_annual_review__dated') }} as review
    cross join
        lateral (
            values
            ('CLK06', case when review.is_first then 'first' else 'later' end, true, review.started_on, review.meeting_on),
            ('CLK07', '', true, review.meeting_on, review.invited_on),
            ('CLK08', '', review.meeting_on <= {{ as_of() }}, review.meeting_on, review.report_received_on),
            ('CLK09', '', review.meeting_on <= {{ as_of() }}, review.meeting_on, review.decided_on),
            ('CLK10', '', review.outcome = 'A', review.meeting_on, review.draft_on),
            ('CLK11', '', review.outcome = 'A', review.draft_on, review.amended_final_on),
            ('CLK12', '', review.outcome = 'A', review.meeting_on, review.amended_final_on)
        ) as timed (clock, part, is_owed, started_on, stopped_on)
    where
        timed.is_owed
        and timed.started_on is not null
),

of_transfer as (
    select
        transfer.clock,
        '' as part,
        transfer.person_id,
        transfer.transfer_key as subject_id,
        transfer.started_on,
        transfer.final_on as stopped_on,
        cast(null as text) as exemption,
        transfer.reference_on,
        transfer.is_taken_for_open,
        cast(null as date) as owed_until_on
    from {{ ref('int_phase_transfer__dated') }} as transfer
    where transfer.clock is not null
),

started as (
    select
        every_clock.*,
        every_clock.exemption is not null as is_exempt
    from (
        select * from of_case
        union all
        select * from of_advice
        union all
        select * from of_review
        union all
        select * from of_transfer
    ) as every_clock
),

dated as (
    {{ with_due_dates('started', also=['reference_on', 'is_taken_for_open', 'owed_until_on']) }}
),

judged as (
    select
        dated.*,
        coalesce(dated.stopped_on is null and dated.owed_until_on < dated.due_on, false) as is_ended_in_time
    from dated
)

-- A request for advice is a fact of its own: where its case ended first, it is excused, and not gone.
select
    judged.clock,
    judged.part,
    judged.person_id,
    judged.subject_id,
    judged.started_on,
    judged.due_on,
    judged.stopped_on,
    judged.is_exempt or judged.is_ended_in_time as is_exempt,
    coalesce(judged.exemption, case when judged.is_ended_in_time then 'case ended in time without it' end) as exemption
from judged
where
    judged.stopped_on is not null
    or (
        (judged.is_taken_for_open or judged.due_on <= judged.reference_on)
        and (judged.clock = 'CLK02' or not judged.is_ended_in_time)
    )
