select
    plan.namedplantableid as sen2_named_plan_id,
    plan.assessmenttableid as sen2_assessment_id,
    plan.startdate as started_on,
    plan.ceasedate as ceased_on,
    {{ code('plan.ceasereason') }} as cease_reason,
    {{ code('plan.planres') }} as residential,
    {{ code('plan.planwbp') }} as work_based,
    coalesce(plan.pb, false) as has_personal_budget,
    plan.pb as has_personal_budget_as_sent,
    plan.oa as has_organised_arrangements,
    {{ code('plan.dp') }} as direct_payments,
    plan._delivery_id,
    plan._row_number
from {{ source('raw_council', 'sen2__namedplan') }} as plan
where plan._delivery_id in {{ manifest() }}
