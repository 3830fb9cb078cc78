select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (partition by child.child_key order by plan.started_on asc))::integer as plan_number,
    plan.started_on,
    plan.version_started_on,
    plan.versions,
    case when plan.ceased_on <= {{ as_of() }} then plan.ceased_on end as ceased_on,
    case when plan.ceased_on <= {{ as_of() }} then plan.cease_reason end as cease_reason,
    coalesce(plan.ceased_on > {{ as_of() }}, true) as is_in_force
from {{ ref('int_plan__in_force') }} as plan
inner join {{ ref('int_child__keyed') }} as child
    on plan.person_id = child.person_id
