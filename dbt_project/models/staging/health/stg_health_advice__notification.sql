-- Each month's extract has the notification again; the latest says what became of it.
select distinct on (notification.notification_id)
    notification.notification_id,
    notification.provider as provider_code,
    notification.parent_told_on,
    notification.notified_on,
    notification.replied_on,
    delivery.reference_on,
    notification._delivery_id,
    notification._row_number,
    link.person_id
from {{ source('raw_icb', 'health_advice__notification') }} as notification
inner join {{ source('landing', 'delivery') }} as delivery
    on notification._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        notification._delivery_id = link.delivery_id
        and notification._row_number = link.row_number
        and link.table_name = 'health_advice__notification'
where notification._delivery_id in {{ manifest() }}
order by
    notification.notification_id asc,
    delivery.reference_on desc nulls last,
    notification._delivery_id asc,
    notification._row_number desc
