-- Each month's register has the complaint again; the latest says what became of it.
select distinct on (complaint.complaint_id)
    complaint.complaint_id,
    complaint.stage,
    complaint.theme,
    complaint.received_on,
    complaint.acknowledged_on,
    complaint.due_on as register_due_on,
    complaint.replied_on,
    complaint.closed_on,
    complaint.outcome,
    delivery.reference_on,
    complaint._delivery_id,
    complaint._row_number,
    link.person_id
from {{ source('raw_council', 'disputes__complaint') }} as complaint
inner join {{ source('landing', 'delivery') }} as delivery
    on complaint._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        complaint._delivery_id = link.delivery_id
        and complaint._row_number = link.row_number
        and link.table_name = 'disputes__complaint'
where complaint._delivery_id in {{ manifest() }}
order by
    complaint.complaint_id asc,
    delivery.reference_on desc nulls last,
    complaint._delivery_id asc,
    complaint._row_number desc
