-- Each month's register has the entry again; the latest says what became of it.
select distinct on (entry.register_id)
    entry.register_id,
    entry.date_of_birth as date_of_birth_on,
    entry.provider as provider_code,
    entry.is_autistic,
    entry.has_learning_disability,
    entry.added_on,
    entry.removed_on,
    entry.rating,
    entry.rated_on,
    entry.key_worker_on,
    entry.admitted_on,
    entry.discharged_on,
    delivery.reference_on,
    entry._delivery_id,
    entry._row_number,
    link.person_id
from {{ source('raw_icb', 'dynamic_support_register__register') }} as entry
inner join {{ source('landing', 'delivery') }} as delivery
    on entry._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        entry._delivery_id = link.delivery_id
        and entry._row_number = link.row_number
        and link.table_name = 'dynamic_support_register__register'
where entry._delivery_id in {{ manifest() }}
order by
    entry.register_id asc,
    delivery.reference_on desc nulls last,
    entry._delivery_id asc,
    entry._row_number desc
