select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    (row_number() over (order by complaint.received_on asc nulls last, complaint.complaint_id asc))::integer as complaint_number,
    child.child_key,
    complaint.stage,
    complaint.theme,
    complaint.received_on,
    complaint.acknowledged_on,
    complaint.due_on,
    complaint.replied_on,
    complaint.closed_on,
    complaint.outcome,
    complaint.is_replied_in_time
from {{ ref('int_complaint__timed') }} as complaint
left join {{ ref('int_child__keyed') }} as child
    on complaint.person_id = child.person_id
