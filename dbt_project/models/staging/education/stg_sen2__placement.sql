select
    placement.placementdetailtableid as sen2_placement_id,
    placement.activeplanstableid as sen2_active_plan_id,
    {{ code('placement.urn') }} as urn,
    {{ code('placement.ukprn') }} as ukprn,
    {{ code('placement.sensetting') }} as sen_setting,
    nullif(btrim(placement.sensettingother), '') as sen_setting_other,
    placement.placementrank as placement_rank,
    placement.entrydate as entered_on,
    placement.leavingdate as left_on,
    placement.senunitindicator as is_in_sen_unit,
    placement.resourcedprovisionindicator as is_in_resourced_provision,
    {{ code('placement.res') }} as residential,
    {{ code('placement.wbp') }} as work_based,
    placement._delivery_id,
    placement._row_number
from {{ source('raw_council', 'sen2__placementdetail') }} as placement
where placement._delivery_id in {{ manifest() }}
