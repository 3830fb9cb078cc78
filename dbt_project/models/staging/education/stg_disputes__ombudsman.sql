-- Each month's register has the decision again; the latest says what became of it.
select distinct on (ombudsman.ombudsman_id)
    ombudsman.ombudsman_id,
    ombudsman.received_on,
    ombudsman.decided_on,
    ombudsman.decision,
    ombudsman.theme,
    ombudsman.remedy_due_on,
    ombudsman.remedied_on,
    delivery.reference_on,
    ombudsman._delivery_id,
    ombudsman._row_number,
    link.person_id
from {{ source('raw_council', 'disputes__ombudsman') }} as ombudsman
inner join {{ source('landing', 'delivery') }} as delivery
    on ombudsman._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        ombudsman._delivery_id = link.delivery_id
        and ombudsman._row_number = link.row_number
        and link.table_name = 'disputes__ombudsman'
where ombudsman._delivery_id in {{ manifest() }}
order by
    ombudsman.ombudsman_id asc,
    delivery.reference_on desc nulls last,
    ombudsman._delivery_id asc,
    ombudsman._row_number desc
