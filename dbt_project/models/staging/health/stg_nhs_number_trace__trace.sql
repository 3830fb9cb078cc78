-- Each trace is of the council's whole list on its day; all are kept, because an outcome has no day but that of its trace.
select distinct on (trace._delivery_id, trace.la_child_id)
    trace.la_child_id as council_person_id,
    trace.trace_outcome = '01' as is_traced,
    trace.traced_on,
    delivery.reference_on,
    trace._delivery_id,
    trace._row_number,
    link.person_id
from {{ source('raw_icb', 'nhs_number_trace__trace') }} as trace
inner join {{ source('landing', 'delivery') }} as delivery
    on trace._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        trace._delivery_id = link.delivery_id
        and trace._row_number = link.row_number
        and link.table_name = 'nhs_number_trace__trace'
where trace._delivery_id in {{ manifest() }}
order by
    trace._delivery_id asc,
    trace.la_child_id asc,
    trace._row_number desc
