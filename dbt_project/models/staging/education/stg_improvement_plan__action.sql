-- Each delivery is the whole plan on its day; all are kept, because a status has no date of its own.
select distinct on (action._delivery_id, action.action_id)
    action.action_id,
    action.priority,
    action.title,
    action.owner_organisation,
    action.owner_role,
    action.started_on,
    action.due_on,
    action.completed_on,
    action.status,
    delivery.reference_on,
    action._delivery_id,
    action._row_number
from {{ source('raw_council', 'improvement_plan__action') }} as action
inner join {{ source('landing', 'delivery') }} as delivery
    on action._delivery_id = delivery.delivery_id
where action._delivery_id in {{ manifest() }}
order by
    action._delivery_id asc,
    action.action_id asc,
    action._row_number desc
