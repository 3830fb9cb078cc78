-- Each month's extract has the request for advice again; the latest says what became of it.
select distinct on (advice.advice_id)
    advice.advice_id,
    advice.case_id,
    advice.advice_body,
    {{ code('advice.provider') }} as provider,
    advice.requested_on,
    advice.received_on,
    coalesce(advice.is_required, true) as is_required,
    advice.exception,
    delivery.reference_on,
    advice._delivery_id,
    advice._row_number,
    link.person_id
from {{ source('raw_council', 'ehc_casework__advice') }} as advice
inner join {{ source('landing', 'delivery') }} as delivery
    on advice._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        advice._delivery_id = link.delivery_id
        and advice._row_number = link.row_number
        and link.table_name = 'ehc_casework__advice'
where advice._delivery_id in {{ manifest() }}
order by
    advice.advice_id asc,
    delivery.reference_on desc nulls last,
    advice._delivery_id asc,
    advice._row_number desc
