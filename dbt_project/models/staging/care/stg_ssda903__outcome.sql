select
    outcome.child as council_person_id,
    outcome.health_assessment as has_health_assessment,
    delivery.reference_on,
    outcome._delivery_id,
    outcome._row_number,
    child.person_id
from {{ source('raw_council', 'ssda903__oc2') }} as outcome
inner join {{ source('landing', 'delivery') }} as delivery
    on outcome._delivery_id = delivery.delivery_id
left join {{ ref('stg_ssda903__child') }} as child
    on
        outcome._delivery_id = child._delivery_id
        and outcome.child = child.council_person_id
where outcome._delivery_id in {{ manifest() }}
