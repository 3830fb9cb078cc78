-- The latest list of organisations answers alone.
select
    {{ code('organisation.code') }} as organisation_code,
    organisation.name as organisation_name,
    organisation.role,
    {{ code('organisation.parent') }} as parent_code,
    organisation.open_on as opened_on,
    organisation.close_on as closed_on,
    organisation._delivery_id,
    organisation._row_number
from {{ source('raw_reference', 'organisations__organisation') }} as organisation
where
    organisation._delivery_id = (
        select delivery.delivery_id
        from {{ source('landing', 'delivery') }} as delivery
        where
            delivery.feed = 'organisations'
            and delivery.delivery_id in {{ manifest() }}
        order by delivery.reference_on desc nulls last, delivery.delivery_id asc
        limit 1
    )
