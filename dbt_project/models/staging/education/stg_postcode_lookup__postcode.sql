-- A directory has every postcode there is, so the latest answers alone.
select
    {{ postcode('directory.pcds') }} as postcode,
    {{ code('directory.oslaua') }} as district_code,
    directory._delivery_id,
    directory._row_number
from {{ source('raw_reference', 'postcode_lookup__postcode') }} as directory
where
    directory._delivery_id = (
        select delivery.delivery_id
        from {{ source('landing', 'delivery') }} as delivery
        where
            delivery.feed = 'postcode_lookup'
            and delivery.delivery_id in {{ manifest() }}
        order by delivery.reference_on desc nulls last, delivery.delivery_id asc
        limit 1
    )
