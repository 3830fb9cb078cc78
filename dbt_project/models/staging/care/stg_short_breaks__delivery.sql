-- A month of a package is as the latest register that has it says.
select distinct on (delivered.package_id, delivered.month_on)
    delivered.package_id,
    delivered.month_on,
    delivered.agreed_minutes,
    delivered.delivered_minutes,
    delivered.cancelled_by,
    delivered._delivery_id,
    delivered._row_number
from {{ source('raw_council', 'short_breaks__delivery') }} as delivered
inner join {{ source('landing', 'delivery') }} as delivery
    on delivered._delivery_id = delivery.delivery_id
where delivered._delivery_id in {{ manifest() }}
order by
    delivered.package_id asc,
    delivered.month_on asc,
    delivery.reference_on desc nulls last,
    delivered._delivery_id asc,
    delivered._row_number desc
