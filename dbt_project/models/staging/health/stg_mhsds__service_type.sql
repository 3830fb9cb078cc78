-- The latest effective row of each team that a referral was made to.
select distinct on (service.orgidprov, service.servicerequestid, service.servteamtypereftomh, service.careprofteamlocalid)
    service.servicerequestid as referral_id,
    service.orgidprov as provider_code,
    {{ code('service.servteamtypereftomh') }} as team_type,
    service.referclosuredate as closed_on,
    service.referrejectiondate as rejected_on,
    service._delivery_id,
    service._row_number
from {{ source('raw_icb', 'mhsds__mhs102servicetypereferredto') }} as service
where service._delivery_id in {{ manifest() }}
order by
    service.orgidprov asc,
    service.servicerequestid asc,
    service.servteamtypereftomh asc,
    service.careprofteamlocalid asc,
    service.effective_from desc nulls last,
    service.reportingperiodenddate desc nulls last,
    service._delivery_id asc,
    service._row_number desc
