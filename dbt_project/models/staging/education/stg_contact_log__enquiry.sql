-- Each month's register has the enquiry again; the latest says what became of it.
select distinct on (enquiry.enquiry_id)
    enquiry.enquiry_id,
    enquiry.channel,
    enquiry.topic,
    enquiry.received_on,
    enquiry.answered_on,
    enquiry.is_repeat,
    delivery.reference_on,
    enquiry._delivery_id,
    enquiry._row_number,
    link.person_id
from {{ source('raw_council', 'contact_log__enquiry') }} as enquiry
inner join {{ source('landing', 'delivery') }} as delivery
    on enquiry._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        enquiry._delivery_id = link.delivery_id
        and enquiry._row_number = link.row_number
        and link.table_name = 'contact_log__enquiry'
where enquiry._delivery_id in {{ manifest() }}
order by
    enquiry.enquiry_id asc,
    delivery.reference_on desc nulls last,
    enquiry._delivery_id asc,
    enquiry._row_number desc
