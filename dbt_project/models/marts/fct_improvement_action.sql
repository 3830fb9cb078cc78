{{ latest_improvement_plan() }},

milestone as (
    select
        milestone._delivery_id,
        milestone.action_id,
        count(*)::integer as milestones,
        (count(milestone.achieved_on))::integer as achieved,
        min(milestone.due_on) filter (where milestone.achieved_on is null) as next_due_on
    from {{ ref('stg_improvement_plan__milestone') }} as milestone
    group by milestone._delivery_id, milestone.action_id
)

select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    action.action_id as action_number,
    action.reference_on as plan_on,
    action.priority,
    action.title,
    action.owner_organisation,
    action.owner_role,
    action.started_on,
    action.due_on,
    action.completed_on,
    action.status,
    coalesce(action.status in ('complete', 'green'), false) as is_on_track,
    coalesce(action.status <> 'complete' and action.due_on < {{ as_of() }}, false) as is_overdue,
    coalesce(milestone.milestones, 0) as milestones,
    coalesce(milestone.achieved, 0) as milestones_achieved,
    milestone.next_due_on as next_milestone_due_on
from latest
inner join {{ ref('stg_improvement_plan__action') }} as action
    on latest._delivery_id = action._delivery_id
left join milestone
    on
        action._delivery_id = milestone._delivery_id
        and action.action_id = milestone.action_id
