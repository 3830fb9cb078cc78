select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (
        partition by request.person_id
        order by request.requested_on asc nulls first, request.request_id asc
    ))::integer as request_number,
    request.service,
    request.requested_on,
    request.assessed_on,
    request.decided_on,
    request.decision,
    request.started_on,
    request.closed_on,
    coalesce(least(request.started_on, request.closed_on), {{ as_of() }}) - request.requested_on as days_waited
from {{ ref('stg_short_breaks__request') }} as request
inner join {{ ref('int_child__keyed') }} as child
    on request.person_id = child.person_id
