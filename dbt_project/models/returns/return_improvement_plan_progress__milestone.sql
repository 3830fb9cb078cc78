{{ latest_improvement_plan() }}

select
    '{{ var("partnership") }}'::text as partnership,
    milestone.milestone_id as milestone_number,
    milestone.action_id as action_number,
    milestone.title,
    milestone.indicator_code,
    milestone.due_on,
    milestone.achieved_on,
    milestone.status
from latest
inner join {{ ref('stg_improvement_plan__milestone') }} as milestone
    on latest._delivery_id = milestone._delivery_id
order by
    milestone.action_id,
    milestone.due_on,
    milestone.milestone_id
