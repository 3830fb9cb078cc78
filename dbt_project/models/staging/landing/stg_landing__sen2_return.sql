-- A table, so that a return of the same day leaves all that only asks for its day as it was.
{{ config(materialized='table') }}
select least(max(delivery.reference_on), {{ as_of() }}) as returned_on
from {{ source('landing', 'delivery') }} as delivery
where
    delivery.feed = 'sen2'
    and delivery.delivery_id in {{ manifest() }}
