-- A placement is as the latest return that has it says: an older return cannot know that it ended since.
select distinct on (
    plan.person_id,
    placement.placement_rank,
    placement.entered_on,
    coalesce(placement.urn, placement.ukprn, placement.sen_setting)
)
    plan.person_id,
    placement.placement_rank,
    placement.urn,
    placement.ukprn,
    placement.sen_setting,
    coalesce(setting.placement_type, establishment.placement_type) as placement_type,
    placement.residential,
    placement.work_based,
    placement.entered_on,
    placement.left_on,
    {{ is_open('placement.entered_on', 'placement.left_on', as_of()) }} as is_open,
    plan.reference_on,
    placement._delivery_id,
    placement._row_number
from {{ ref('stg_sen2__placement') }} as placement
inner join {{ ref('int_plan__reviewed') }} as plan
    on
        placement._delivery_id = plan._delivery_id
        and placement.sen2_active_plan_id = plan.sen2_active_plan_id
left join {{ ref('sen_settings') }} as setting
    on placement.sen_setting = setting.sen_setting
left join {{ ref('int_establishment__phased') }} as establishment
    on placement.urn = establishment.urn
where plan.person_id is not null
order by
    plan.person_id asc,
    placement.placement_rank asc,
    placement.entered_on asc,
    coalesce(placement.urn, placement.ukprn, placement.sen_setting) asc,
    plan.reference_on desc nulls last,
    placement._delivery_id asc,
    placement._row_number asc
