-- An establishment that is in several deliveries is as the latest of them says.
select distinct on (establishment.urn)
    establishment.urn,
    establishment.la_code as authority_code,
    establishment.establishmentname as establishment_name,
    establishment.typeofestablishment_name as type_name,
    lower(establishment.typeofestablishment_name) as establishment_type,
    lower(establishment.phaseofeducation_name) as gias_phase,
    establishment.districtadministrative_name as district,
    establishment.ukprn,
    establishment.opendate as opened_on,
    establishment.closedate as closed_on,
    establishment._delivery_id,
    establishment._row_number
from {{ source('raw_reference', 'gias__establishment') }} as establishment
inner join {{ source('landing', 'delivery') }} as delivery
    on establishment._delivery_id = delivery.delivery_id
where establishment._delivery_id in {{ manifest() }}
order by
    establishment.urn asc,
    delivery.reference_on desc nulls last,
    establishment._delivery_id asc,
    establishment._row_number asc
