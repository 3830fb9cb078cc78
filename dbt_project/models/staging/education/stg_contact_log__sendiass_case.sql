-- Each month's register has the case again; the latest says what became of it.
select distinct on (case_row.sendiass_case_id)
    case_row.sendiass_case_id,
    case_row.opened_on,
    case_row.closed_on,
    case_row.theme,
    case_row.level,
    delivery.reference_on,
    case_row._delivery_id,
    case_row._row_number
from {{ source('raw_council', 'contact_log__sendiass_case') }} as case_row
inner join {{ source('landing', 'delivery') }} as delivery
    on case_row._delivery_id = delivery.delivery_id
where case_row._delivery_id in {{ manifest() }}
order by
    case_row.sendiass_case_id asc,
    delivery.reference_on desc nulls last,
    case_row._delivery_id asc,
    case_row._row_number desc
