select
    '{{ var("partnership") }}'::text as partnership,
    returned.person_id,
    returned.number as placementdetailtableid,
    returned.parent_number as activeplanstableid,
    placement_detail.urn,
    placement_detail.ukprn,
    placement_detail.sen_setting as sensetting,
    placement_detail.sen_setting_other as sensettingother,
    placement_detail.placement_rank as placementrank,
    placement_detail.entered_on as entrydate,
    placement_detail.left_on as leavingdate,
    placement_detail.is_in_sen_unit as senunitindicator,
    placement_detail.is_in_resourced_provision as resourcedprovisionindicator,
    placement_detail.residential as res,
    placement_detail.work_based as wbp
from {{ ref('int_sen2__returned') }} as returned
inner join {{ ref('stg_sen2__placement') }} as placement_detail
    on
        returned._delivery_id = placement_detail._delivery_id
        and returned._row_number = placement_detail._row_number
where returned.record = 'placement_detail'
order by returned.number
