-- CLK25 runs from the day that a child comes into care; no feed has the day of the health assessment, so what came of it is left open and
-- the clock counts for nothing. CLK26 runs from the referral to the first assessment that was authorised. The census is of a year to
-- 31 March: of an assessment that falls due after the one that tells of it last, nobody knows once that day is past.
with assessed as (
    select
        assessment._delivery_id,
        assessment.cin_episode_id,
        min(assessment.authorised_on) as authorised_on
    from {{ ref('stg_cin_census__assessment') }} as assessment
    group by assessment._delivery_id, assessment.cin_episode_id
),

started as (
    select
        case episode.involvement when 'looked_after' then 'CLK25' else 'CLK26' end as clock,
        '' as part,
        episode.person_id,
        episode.person_id || ' ' || episode.started_on as subject_id,
        episode.started_on,
        assessed.authorised_on as stopped_on,
        case
            when episode.involvement = 'looked_after' then 'no feed has the day of the assessment'
            when episode.is_no_further_action then 'no further action'
        end as exemption,
        episode.involvement = 'looked_after' or episode.is_no_further_action as is_exempt,
        case when episode.involvement = 'child_in_need' and episode.ended_on <= {{ as_of() }} then episode.ended_on end as ended_on,
        episode.reference_on
    from {{ ref('int_social_care__episode') }} as episode
    left join assessed
        on
            episode._delivery_id = assessed._delivery_id
            and episode.cin_episode_id = assessed.cin_episode_id
            and episode.involvement = 'child_in_need'
    where
        episode.started_on <= {{ as_of() }}
        and (episode.involvement = 'child_in_need' or episode.is_entry_to_care)
),

due as (
    {{ with_due_dates('started', also=['ended_on', 'reference_on']) }}
),

-- A referral that was closed with nothing assessed, by its last day, needs no assessment.
judged as (
    select
        due.*,
        coalesce(due.stopped_on is null and not due.is_exempt and due.ended_on <= due.due_on, false) as is_closed_in_time
    from due
)

select
    judged.clock,
    judged.part,
    judged.person_id,
    judged.subject_id,
    judged.started_on,
    judged.due_on,
    judged.stopped_on,
    judged.is_exempt or judged.is_closed_in_time as is_exempt,
    case when judged.is_closed_in_time then 'closed in time without an assessment' else judged.exemption end as exemption
from judged
where
    judged.stopped_on is not null
    or judged.is_exempt
    or judged.is_closed_in_time
    or judged.due_on <= judged.reference_on
    or judged.due_on >= {{ as_of() }}
