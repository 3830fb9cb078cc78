-- Each delivery is the whole plan on its day; all are kept, because a status has no date of its own.
select distinct on (milestone._delivery_id, milestone.milestone_id)
    milestone.milestone_id,
    milestone.action_id,
    milestone.title,
    milestone.indicator as indicator_code,
    milestone.due_on,
    milestone.achieved_on,
    milestone.status,
    delivery.reference_on,
    milestone._delivery_id,
    milestone._row_number
from {{ source('raw_council', 'improvement_plan__milestone') }} as milestone
inner join {{ source('landing', 'delivery') }} as delivery
    on milestone._delivery_id = delivery.delivery_id
where milestone._delivery_id in {{ manifest() }}
order by
    milestone._delivery_id asc,
    milestone.milestone_id asc,
    milestone._row_number desc
