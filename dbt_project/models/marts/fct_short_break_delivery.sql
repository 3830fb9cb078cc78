with package as (
    select
        given.*,
        (row_number() over (
            partition by given.person_id
            order by given.started_on asc nulls first, given.package_id asc
        ))::integer as package_number
    from {{ ref('stg_short_breaks__package') }} as given
)

select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    package.package_number,
    delivered.month_on,
    package.service,
    package.provider,
    package.started_on as package_started_on,
    package.ended_on as package_ended_on,
    package.minutes_per_week,
    delivered.agreed_minutes,
    delivered.delivered_minutes,
    delivered.cancelled_by
from {{ ref('stg_short_breaks__delivery') }} as delivered
inner join package
    on delivered.package_id = package.package_id
inner join {{ ref('int_child__keyed') }} as child
    on package.person_id = child.person_id
