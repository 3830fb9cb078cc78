select
    request.requeststableid as sen2_request_id,
    request.persontableid as sen2_person_id,
    request.receiveddate as received_on,
    {{ code('request.requestsource') }} as request_source,
    request.rya as is_in_youth_accommodation,
    request.requestoutcomedate as outcome_on,
    {{ code('request.requestoutcome') }} as outcome,
    request.requestmediation as has_mediation,
    request.requesttribunal as has_appeal,
    {{ code('request.exported') }} as exported_to,
    request._delivery_id,
    request._row_number
from {{ source('raw_council', 'sen2__requests') }} as request
where request._delivery_id in {{ manifest() }}
