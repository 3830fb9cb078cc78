-- Which measures each action is to change, and by when. How they move is told by figures that may be shown, so there are none here.
{{ latest_improvement_plan() }}

select
    '{{ var("partnership") }}'::text as partnership,
    action.action_id as action_number,
    measure.measure,
    measure.indicator_code,
    measure.name as measure_name,
    measure.unit,
    measure.better,
    measure.headline_period,
    action.started_on,
    coalesce(max(milestone.due_on), action.due_on) as due_on,
    target.target
from latest
inner join {{ ref('stg_improvement_plan__action') }} as action
    on latest._delivery_id = action._delivery_id
inner join {{ ref('stg_improvement_plan__milestone') }} as milestone
    on
        action._delivery_id = milestone._delivery_id
        and action.action_id = milestone.action_id
inner join {{ ref('indicator_measures') }} as measure
    on milestone.indicator_code = measure.indicator_code
left join {{ ref('indicator_targets') }} as target
    on
        measure.measure = target.measure
        and {{ as_of() }} between target.in_force_from_on and coalesce(target.in_force_to_on, {{ as_of() }})
group by
    action.action_id,
    measure.measure,
    measure.indicator_code,
    measure.name,
    measure.unit,
    measure.better,
    measure.headline_period,
    action.started_on,
    action.due_on,
    target.target
order by
    action.action_id,
    measure.measure
