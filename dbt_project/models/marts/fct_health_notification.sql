select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (partition by child.child_key order by notification.notified_on asc, notification.notification_id asc))::integer
        as notification_number,
    notification.provider_code,
    notification.parent_told_on,
    notification.notified_on,
    case when notification.replied_on <= {{ as_of() }} then notification.replied_on end as replied_on,
    case when notification.replied_on <= {{ as_of() }} then notification.replied_on - notification.notified_on end as days_to_reply
from {{ ref('stg_health_advice__notification') }} as notification
inner join {{ ref('int_child__keyed') }} as child
    on notification.person_id = child.person_id
where notification.notified_on <= {{ as_of() }}
