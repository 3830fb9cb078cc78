select
    link.person_id,
    link.table_name,
    profile.born as born_on,
    profile.sex,
    profile.postcode,
    delivery.reference_on,
    link.delivery_id as _delivery_id,
    link.row_number as _row_number
from {{ source('identity', 'link') }} as link
inner join {{ source('landing', 'delivery') }} as delivery
    on link.delivery_id = delivery.delivery_id
left join {{ source('identity', 'profile') }} as profile
    on link.profile_id = profile.profile_id
where link.delivery_id in {{ manifest() }}
