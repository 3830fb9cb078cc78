-- Of plans that began on one day, the latest return knows best; within one return a plan that goes on comes before a ceased one.
with latest as (
    select distinct on (plan.person_id)
        plan.person_id,
        plan.started_on,
        plan.ceased_on,
        plan.work_based,
        plan.has_personal_budget,
        plan.sen2_named_plan_id,
        plan.sen2_request_id,
        plan._delivery_id
    from {{ ref('int_plan__named') }} as plan
    where plan.started_on <= {{ as_of() }}
    order by
        plan.person_id asc,
        plan.started_on desc,
        plan.reference_on desc nulls last,
        plan._delivery_id asc,
        plan.ceased_on desc nulls first,
        plan._row_number asc
)

select
    latest.person_id,
    latest.started_on,
    latest.work_based,
    latest.has_personal_budget,
    latest.sen2_named_plan_id,
    latest.sen2_request_id,
    latest._delivery_id
from latest
where latest.ceased_on is null or latest.ceased_on > {{ as_of() }}
