-- The last review is the day of the decision letter; the meeting is a day of its own.
select
    active_plan.activeplanstableid as sen2_active_plan_id,
    active_plan.requeststableid as sen2_request_id,
    {{ code('active_plan.transferla') }} as transferred_from,
    active_plan.reviewmeeting as review_met_on,
    {{ code('active_plan.reviewoutcome') }} as review_outcome,
    active_plan.lastreview as last_reviewed_on,
    active_plan.reviewdraft as review_drafted_on,
    active_plan.phasetransferduedate as transfer_due_on,
    active_plan.phasetransferfinaldate as transfer_final_on,
    active_plan._delivery_id,
    active_plan._row_number
from {{ source('raw_council', 'sen2__activeplans') }} as active_plan
where active_plan._delivery_id in {{ manifest() }}
