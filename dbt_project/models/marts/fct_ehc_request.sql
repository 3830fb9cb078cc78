select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    request.request_number,
    request.received_on,
    request.request_source,
    request.request_outcome as outcome,
    request.request_outcome_on as decided_on,
    request.request_outcome_on - request.received_on as days_to_decision,
    request.is_transferred_in,
    request.is_exported
from {{ ref('int_ehc_request__settled') }} as request
inner join {{ ref('int_child__keyed') }} as child
    on request.person_id = child.person_id
