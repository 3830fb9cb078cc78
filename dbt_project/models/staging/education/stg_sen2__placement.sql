select
    placement.placementdetailtableid as sen2_placement_id,
    placement.activeplanstableid as sen2_active_plan_id,
    {{ code('placement.urn') }} as urn,
    {{ code('placement.ukprn') }} as ukprn,
    {{ code('placement.sensetting') }} as sen_setting,
    placement.placementrank as placement_rank,
    placement.entrydate as entered_on,
    placement.leavingdate as left_on,
    {{ code('placement.res') }} as residential,
    {{ code('placement.wbp') }} as work_based,
    placement._delivery_id,
    placement._row_number
from {{ source('raw_council', 'sen2__placementdetail') }} as placement
where placement._delivery_id in {{ manifest() }}
