-- A delivery is one census.
select
    delivery.delivery_id as _delivery_id,
    delivery.reference_on
from {{ source('landing', 'delivery') }} as delivery
where
    delivery.feed = 'school_census'
    and delivery.delivery_id in {{ manifest() }}
