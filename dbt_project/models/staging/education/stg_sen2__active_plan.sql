select
    active_plan.activeplanstableid as sen2_active_plan_id,
    active_plan.requeststableid as sen2_request_id,
    active_plan.lastreview as last_reviewed_on,
    active_plan._delivery_id,
    active_plan._row_number
from {{ source('raw_council', 'sen2__activeplans') }} as active_plan
where active_plan._delivery_id in {{ manifest() }}
