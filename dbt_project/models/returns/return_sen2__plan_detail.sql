select
    '{{ var("partnership") }}'::text as partnership,
    returned.person_id,
    returned.number as plandetailtableid,
    returned.parent_number as namedplantableid,
    plan_detail.urn,
    plan_detail.ukprn,
    plan_detail.sen_setting as sensetting,
    plan_detail.sen_setting_other as sensettingother,
    plan_detail.placement_rank as placementrank,
    plan_detail.is_in_sen_unit as senunitindicator,
    plan_detail.is_in_resourced_provision as resourcedprovisionindicator
from {{ ref('int_sen2__returned') }} as returned
inner join {{ ref('stg_sen2__plan_detail') }} as plan_detail
    on
        returned._delivery_id = plan_detail._delivery_id
        and returned._row_number = plan_detail._row_number
where returned.record = 'plan_detail'
order by returned.number
