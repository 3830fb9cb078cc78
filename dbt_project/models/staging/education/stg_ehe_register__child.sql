select
    child.ehe_id,
    child.la_child_id as council_person_id,
    child.ehe_start_on as started_on,
    child.ehe_end_on as ended_on,
    lower(btrim(child.ehe_reason)) as reason,
    case when child.has_ehc_plan then 'E' else {{ code('child.sen_provision') }} end as sen_provision,
    delivery.reference_on,
    child._delivery_id,
    child._row_number,
    link.person_id
from {{ source('raw_council', 'ehe_register__child') }} as child
inner join {{ source('landing', 'delivery') }} as delivery
    on child._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        child._delivery_id = link.delivery_id
        and child._row_number = link.row_number
        and link.table_name = 'ehe_register__child'
where child._delivery_id in {{ manifest() }}
