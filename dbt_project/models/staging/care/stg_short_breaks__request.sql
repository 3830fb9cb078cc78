-- A request is as the latest register that has it says.
select distinct on (request.request_id)
    request.request_id,
    request.service,
    request.requested_on,
    request.assessed_on,
    request.decided_on,
    request.decision,
    request.started_on,
    request.closed_on,
    request._delivery_id,
    request._row_number,
    link.person_id
from {{ source('raw_council', 'short_breaks__request') }} as request
inner join {{ source('landing', 'delivery') }} as delivery
    on request._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        request._delivery_id = link.delivery_id
        and request._row_number = link.row_number
        and link.table_name = 'short_breaks__request'
where request._delivery_id in {{ manifest() }}
order by
    request.request_id asc,
    delivery.reference_on desc nulls last,
    request._delivery_id asc,
    request._row_number desc
