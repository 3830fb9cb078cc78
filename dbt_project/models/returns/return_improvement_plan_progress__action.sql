{{ latest_improvement_plan() }}

select
    '{{ var("partnership") }}'::text as partnership,
    action.action_id as action_number,
    action.reference_on as plan_on,
    action.priority,
    action.title,
    action.owner_organisation,
    action.owner_role,
    action.started_on,
    action.due_on,
    action.completed_on,
    action.status
from latest
inner join {{ ref('stg_improvement_plan__action') }} as action
    on latest._delivery_id = action._delivery_id
order by action.action_id
