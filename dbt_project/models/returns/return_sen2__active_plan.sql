select
    '{{ var("partnership") }}'::text as partnership,
    returned.person_id,
    returned.number as activeplanstableid,
    returned.parent_number as requeststableid,
    active_plan.transferred_from as transferla,
    active_plan.review_met_on as reviewmeeting,
    active_plan.review_outcome as reviewoutcome,
    active_plan.last_reviewed_on as lastreview,
    active_plan.review_drafted_on as reviewdraft,
    active_plan.transfer_due_on as phasetransferduedate,
    active_plan.transfer_final_on as phasetransferfinaldate
from {{ ref('int_sen2__returned') }} as returned
inner join {{ ref('stg_sen2__active_plan') }} as active_plan
    on
        returned._delivery_id = active_plan._delivery_id
        and returned._row_number = active_plan._row_number
where returned.record = 'active_plan'
order by returned.number
