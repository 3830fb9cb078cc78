select
    '{{ var("partnership") }}'::text as partnership,
    returned.person_id,
    returned.number as requeststableid,
    returned.parent_number as persontableid,
    request.received_on as receiveddate,
    request.request_source as requestsource,
    request.is_in_youth_accommodation as rya,
    request.outcome_on as requestoutcomedate,
    request.outcome as requestoutcome,
    request.has_mediation as requestmediation,
    request.has_appeal as requesttribunal,
    request.exported_to as exported
from {{ ref('int_sen2__returned') }} as returned
inner join {{ ref('stg_sen2__request') }} as request
    on
        returned._delivery_id = request._delivery_id
        and returned._row_number = request._row_number
where returned.record = 'request'
order by returned.number
