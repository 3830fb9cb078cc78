-- Twelve months run from the letter that told the family of the last decision, not from the meeting, and the first twelve from the day on
-- which the plan was made, whatever day the supplier has. An extract has every review that was due or held since it begins: where it no
-- longer has the last one, the supplier's own day on which this one is due says when they began. A plan without a coming review has the one
-- that the law makes due; where nothing tells of an earlier one, the last was at the latest on the eve of what is told.
with told as (
    select
        review.*,
        plan.case_id,
        ehc_case.person_id,
        ehc_case.date_of_birth_on,
        ehc_case.route,
        case when ehc_case.issue_outcome = 'Y' then ehc_case.issue_decided_on end as issued_on,
        coalesce(review.reference_on = max(review.reference_on) over (), false) as is_in_latest_extract,
        row_number() over of_plan as review_number,
        lag(coalesce(review.decided_on, review.meeting_on)) over of_plan as last_review_on
    from {{ ref('stg_ehc_casework__review') }} as review
    left join {{ ref('stg_ehc_casework__plan') }} as plan
        on review.plan_id = plan.plan_id
    left join {{ ref('stg_ehc_casework__case') }} as ehc_case
        on plan.case_id = ehc_case.case_id
    window of_plan as (
        partition by coalesce(plan.case_id, review.review_id)
        order by coalesce(review.meeting_on, review.due_on) asc, review.due_on asc, review.review_id asc
    )
),

ended as (
    select distinct on (plan.case_id)
        plan.case_id,
        plan.ceased_on as plan_ceased_on,
        min(plan.final_on) over (partition by plan.case_id) as final_on,
        max(plan.reference_on) over (partition by plan.case_id) as reference_on,
        coalesce(max(plan.reference_on) over (partition by plan.case_id) = max(plan.reference_on) over (), false) as is_in_latest_extract
    from {{ ref('stg_ehc_casework__plan') }} as plan
    order by plan.case_id asc, plan.final_on desc nulls last, plan.draft_on desc nulls last, plan.plan_id asc
),

begun as (
    select
        told.*,
        coalesce(
            told.last_review_on,
            case
                when told.review_number = 1 and told.route <> 'transfer_in' and told.issued_on >= {{ months_before(12, registers_since()) }}
                    then told.issued_on
            end,
            {{ months_before(12, 'told.due_on') }},
            told.issued_on
        ) as started_on
    from told
),

latest as (
    select distinct on (told.case_id)
        told.case_id,
        told.meeting_on,
        coalesce(told.decided_on, told.meeting_on) as reviewed_on
    from told
    order by told.case_id asc, told.review_number desc
),

-- Of plans whose last review, if there is one, was held.
without_coming as (
    select
        ehc_case.case_id,
        ehc_case.person_id,
        ehc_case.date_of_birth_on,
        latest.reviewed_on is null and ehc_case.route <> 'transfer_in' as is_first,
        case
            when latest.reviewed_on is not null then latest.reviewed_on
            when ehc_case.route = 'transfer_in' then greatest(ehc_case.received_on, ended.final_on, {{ registers_since() }} - 1)
            when coalesce(ehc_case.issue_decided_on, ended.final_on) >= {{ months_before(12, registers_since()) }}
                then coalesce(ehc_case.issue_decided_on, ended.final_on)
            else {{ registers_since() }} - 1
        end as started_on,
        ended.plan_ceased_on,
        ended.reference_on,
        ended.is_in_latest_extract
    from ended
    inner join {{ ref('stg_ehc_casework__case') }} as ehc_case
        on ended.case_id = ehc_case.case_id
    left join latest
        on ended.case_id = latest.case_id
    where
        ended.final_on <= {{ as_of() }}
        and (latest.case_id is null or latest.meeting_on <= {{ as_of() }})
)

select
    begun.review_id,
    begun.case_id,
    begun.person_id,
    begun.date_of_birth_on,
    begun.review_kind,
    begun.last_review_on is null and coalesce(begun.started_on <= begun.issued_on, false) as is_first,
    begun.started_on,
    begun.invited_on,
    begun.meeting_on,
    begun.report_received_on,
    begun.participation,
    begun.decided_on,
    begun.outcome,
    begun.draft_on,
    begun.amended_final_on,
    ended.plan_ceased_on,
    begun.reference_on,
    begun.is_in_latest_extract
from begun
left join ended
    on begun.case_id = ended.case_id
union all
select
    concat_ws('/', 'coming', coming.case_id) as review_id,
    coming.case_id,
    coming.person_id,
    coming.date_of_birth_on,
    null as review_kind,
    coming.is_first,
    coming.started_on,
    null as invited_on,
    null as meeting_on,
    null as report_received_on,
    null as participation,
    null as decided_on,
    null as outcome,
    null as draft_on,
    null as amended_final_on,
    coming.plan_ceased_on,
    coming.reference_on,
    coming.is_in_latest_extract
from without_coming as coming
where coalesce({{ months_before(12, 'coming.plan_ceased_on') }} >= coming.started_on, true)
