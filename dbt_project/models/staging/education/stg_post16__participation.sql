-- A spell is as the latest register that has it says.
select distinct on (spell.la_child_id, spell.started_on, spell.activity)
    spell.la_child_id as council_person_id,
    spell.activity,
    spell.started_on,
    spell.ended_on,
    spell.confirmed_on,
    {{ code('spell.ukprn') }} as ukprn,
    {{ code('spell.urn') }} as urn,
    spell._delivery_id,
    spell._row_number,
    link.person_id
from {{ source('raw_council', 'post16__participation') }} as spell
inner join {{ source('landing', 'delivery') }} as delivery
    on spell._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        spell._delivery_id = link.delivery_id
        and spell._row_number = link.row_number
        and link.table_name = 'post16__participation'
where spell._delivery_id in {{ manifest() }}
order by
    spell.la_child_id asc,
    spell.started_on asc,
    spell.activity asc,
    delivery.reference_on desc nulls last,
    spell._delivery_id asc,
    spell._row_number desc
