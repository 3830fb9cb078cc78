-- Each month's extract has the request again; the latest says what became of it.
select distinct on (advice.request_id)
    advice.request_id,
    advice.service,
    advice.provider as provider_code,
    advice.requested_on,
    advice.due_on,
    advice.received_on,
    advice.outcome,
    delivery.reference_on,
    advice._delivery_id,
    advice._row_number,
    link.person_id
from {{ source('raw_icb', 'health_advice__advice') }} as advice
inner join {{ source('landing', 'delivery') }} as delivery
    on advice._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        advice._delivery_id = link.delivery_id
        and advice._row_number = link.row_number
        and link.table_name = 'health_advice__advice'
where advice._delivery_id in {{ manifest() }}
order by
    advice.request_id asc,
    delivery.reference_on desc nulls last,
    advice._delivery_id asc,
    advice._row_number desc
