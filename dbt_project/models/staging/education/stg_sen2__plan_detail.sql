select
    detail.plandetailtableid as sen2_plan_detail_id,
    detail.namedplantableid as sen2_named_plan_id,
    {{ code('detail.urn') }} as urn,
    {{ code('detail.ukprn') }} as ukprn,
    {{ code('detail.sensetting') }} as sen_setting,
    nullif(btrim(detail.sensettingother), '') as sen_setting_other,
    detail.placementrank as placement_rank,
    detail.senunitindicator as is_in_sen_unit,
    detail.resourcedprovisionindicator as is_in_resourced_provision,
    detail._delivery_id,
    detail._row_number
from {{ source('raw_council', 'sen2__plandetail') }} as detail
where detail._delivery_id in {{ manifest() }}
