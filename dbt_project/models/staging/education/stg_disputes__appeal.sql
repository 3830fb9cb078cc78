-- Each month's register has the appeal again; the latest says what became of it.
select distinct on (appeal.appeal_id)
    appeal.appeal_id,
    appeal.decision_kind,
    appeal.decision_on,
    appeal.registered_on,
    appeal.hearing_on,
    appeal.closed_on,
    appeal.outcome,
    appeal.order_on,
    appeal.order_kind,
    appeal.order_due_on,
    appeal.complied_on,
    appeal.recommendation_to,
    appeal.recommended_on,
    appeal.recommendation_replied_on,
    delivery.reference_on,
    appeal._delivery_id,
    appeal._row_number,
    link.person_id
from {{ source('raw_council', 'disputes__appeal') }} as appeal
inner join {{ source('landing', 'delivery') }} as delivery
    on appeal._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        appeal._delivery_id = link.delivery_id
        and appeal._row_number = link.row_number
        and link.table_name = 'disputes__appeal'
where appeal._delivery_id in {{ manifest() }}
order by
    appeal.appeal_id asc,
    delivery.reference_on desc nulls last,
    appeal._delivery_id asc,
    appeal._row_number desc
