-- A version is in force until it ceases or the next begins. Of two that began on one day, the latest return knows best.
with version as (
    select distinct on (plan.person_id, plan.started_on)
        plan.person_id,
        plan.date_of_birth_on,
        plan.started_on,
        plan.ceased_on
    from {{ ref('int_plan__named') }} as plan
    where
        plan.person_id is not null
        and plan.started_on <= {{ as_of() }}
    order by
        plan.person_id asc,
        plan.started_on asc,
        plan.reference_on desc nulls last,
        plan._delivery_id asc,
        plan.ceased_on desc nulls first,
        plan._row_number asc
)

select
    version.person_id,
    version.date_of_birth_on,
    version.started_on,
    least(
        version.ceased_on,
        lead(version.started_on) over (partition by version.person_id order by version.started_on)
    ) as ended_on
from version
