-- Twelve months run from the letter that told the family of the last decision, not from the meeting; where the extract no longer has the
-- last review, its own day on which this one is due says when they began.
with told as (
    select
        review.*,
        plan.case_id,
        ehc_case.person_id,
        ehc_case.date_of_birth_on,
        case when ehc_case.issue_outcome = 'Y' then ehc_case.issue_decided_on end as issued_on,
        coalesce(review.reference_on = max(review.reference_on) over (), false) as is_in_latest_extract,
        lag(coalesce(review.decided_on, review.meeting_on)) over (
            partition by coalesce(plan.case_id, review.review_id)
            order by coalesce(review.meeting_on, review.due_on) asc, review.due_on asc, review.review_id asc
        ) as last_review_on
    from {{ ref('stg_ehc_casework__review') }} as review
    left join {{ ref('stg_ehc_casework__plan') }} as plan
        on review.plan_id = plan.plan_id
    left join {{ ref('stg_ehc_casework__case') }} as ehc_case
        on plan.case_id = ehc_case.case_id
),

ended as (
    select distinct on (plan.case_id)
        plan.case_id,
        plan.ceased_on as plan_ceased_on
    from {{ ref('stg_ehc_casework__plan') }} as plan
    order by plan.case_id asc, plan.final_on desc nulls last, plan.draft_on desc nulls last, plan.plan_id asc
),

begun as (
    select
        told.*,
        coalesce(told.last_review_on, {{ months_before(12, 'told.due_on') }}, told.issued_on) as started_on
    from told
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
