select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    (row_number() over (order by enquiry.received_on asc nulls last, enquiry.enquiry_id asc))::integer as enquiry_number,
    child.child_key,
    enquiry.channel,
    enquiry.topic,
    enquiry.received_on,
    enquiry.due_on,
    enquiry.answered_on,
    enquiry.is_repeat,
    enquiry.is_answered_in_time
from {{ ref('int_enquiry__timed') }} as enquiry
left join {{ ref('int_child__keyed') }} as child
    on enquiry.person_id = child.person_id
