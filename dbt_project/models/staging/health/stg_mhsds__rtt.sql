-- A referral may have several periods; the latest effective row of each.
select distinct on (period.orgidprov, period.servicerequestid, period.refertotreatperiodstartdate)
    period.servicerequestid as referral_id,
    period.orgidprov as provider_code,
    {{ code('period.waittimemeasuretype') }} as measure_type,
    period.refertotreatperiodstartdate as started_on,
    period.refertotreatperiodenddate as ended_on,
    {{ code('period.refertotreatperiodstatus') }} as status,
    period._delivery_id,
    period._row_number
from {{ source('raw_icb', 'mhsds__mhs104rtt') }} as period
where period._delivery_id in {{ manifest() }}
order by
    period.orgidprov asc,
    period.servicerequestid asc,
    period.refertotreatperiodstartdate asc,
    period.effective_from desc nulls last,
    period.reportingperiodenddate desc nulls last,
    period._delivery_id asc,
    period._row_number desc
