-- The deliveries that the run reads.
select
    delivery.delivery_id,
    delivery.feed,
    delivery.reference_on,
    delivery.rows_in,
    delivery.rows_quarantined
from {{ source('landing', 'delivery') }} as delivery
where delivery.delivery_id in {{ manifest() }}
