-- CLK25 runs from the day that a child comes into care; no feed has the day of the health assessment, so what came of it is left open and
-- the clock counts for nothing. CLK26 runs from the referral to the first assessment that was authorised.
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
        episode.involvement = 'looked_after' or episode.is_no_further_action as is_exempt
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
    {{ with_due_dates('started') }}
),

-- A referral that was closed with nothing assessed, before its last day, needs no assessment.
closed as (
    select
        due.subject_id,
        episode.ended_on <= due.due_on as is_closed_in_time
    from due
    inner join {{ ref('int_social_care__episode') }} as episode
        on
            due.person_id = episode.person_id
            and due.started_on = episode.started_on
    where
        due.clock = 'CLK26'
        and due.stopped_on is null
        and not due.is_exempt
        and episode.involvement = 'child_in_need'
        and episode.ended_on <= {{ as_of() }}
)

select
    due.clock,
    due.part,
    due.person_id,
    due.subject_id,
    due.started_on,
    due.due_on,
    due.stopped_on,
    due.is_exempt or coalesce(closed.is_closed_in_time, false) as is_exempt,
    case when closed.is_closed_in_time then 'closed in time without an assessment' else due.exemption end as exemption
from due
left join closed
    on
        due.subject_id = closed.subject_id
        and due.clock = 'CLK26'
