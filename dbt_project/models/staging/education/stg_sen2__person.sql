select
    person.persontableid as sen2_person_id,
    nullif(btrim(person.surname), '') as surname,
    nullif(btrim(person.forename), '') as forename,
    {{ code('person.upn') }} as upn,
    {{ code('person.uniquelearnernumber') }} as uln,
    {{ code('person.upnunknown') }} as upn_unknown,
    person.personbirthdate as date_of_birth_on,
    {{ code('person.sex') }} as gender_source,
    {{ code('person.ethnicity') }} as ethnicity_source,
    {{ postcode('person.postcode') }} as postcode,
    {{ code('person.postcode') }} as postcode_as_sent,
    delivery.reference_on,
    person._delivery_id,
    person._row_number,
    link.person_id
from {{ source('raw_council', 'sen2__person') }} as person
inner join {{ source('landing', 'delivery') }} as delivery
    on person._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        person._delivery_id = link.delivery_id
        and person._row_number = link.row_number
        and link.table_name = 'sen2__person'
where person._delivery_id in {{ manifest() }}
