-- A package is as the latest register that has it says.
select distinct on (package.package_id)
    package.package_id,
    package.request_id,
    package.service,
    package.provider,
    package.started_on,
    package.ended_on,
    package.minutes_per_week,
    package._delivery_id,
    package._row_number,
    link.person_id
from {{ source('raw_council', 'short_breaks__package') }} as package
inner join {{ source('landing', 'delivery') }} as delivery
    on package._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        package._delivery_id = link.delivery_id
        and package._row_number = link.row_number
        and link.table_name = 'short_breaks__package'
where package._delivery_id in {{ manifest() }}
order by
    package.package_id asc,
    delivery.reference_on desc nulls last,
    package._delivery_id asc,
    package._row_number desc
