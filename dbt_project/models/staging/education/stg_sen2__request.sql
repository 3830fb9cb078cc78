select
    request.requeststableid as sen2_request_id,
    request.persontableid as sen2_person_id,
    request.receiveddate as received_on,
    request.requestoutcomedate as outcome_on,
    {{ code('request.requestoutcome') }} as outcome,
    request._delivery_id,
    request._row_number
from {{ source('raw_council', 'sen2__requests') }} as request
where request._delivery_id in {{ manifest() }}
