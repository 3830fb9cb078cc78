select distinct on (plan.person_id)
    plan.person_id,
    placement.urn,
    placement.sen_setting,
    placement.entered_on
from {{ ref('stg_sen2__placement') }} as placement
inner join {{ ref('int_plan__reviewed') }} as plan
    on
        placement._delivery_id = plan._delivery_id
        and placement.sen2_active_plan_id = plan.sen2_active_plan_id
where
    placement.placement_rank = 1
    and {{ is_open('placement.entered_on', 'placement.left_on', as_of()) }}
order by
    plan.person_id asc,
    placement.entered_on desc,
    plan.reference_on desc nulls last,
    placement._delivery_id asc,
    placement._row_number asc
