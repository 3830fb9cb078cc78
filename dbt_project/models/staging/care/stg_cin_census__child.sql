select
    child.childtableid as cin_child_id,
    child.lachildid as council_person_id,
    delivery.reference_on,
    child._delivery_id,
    child._row_number,
    link.person_id
from {{ source('raw_council', 'cin_census__child') }} as child
inner join {{ source('landing', 'delivery') }} as delivery
    on child._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        child._delivery_id = link.delivery_id
        and child._row_number = link.row_number
        and link.table_name = 'cin_census__child'
where child._delivery_id in {{ manifest() }}
