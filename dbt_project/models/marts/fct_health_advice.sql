select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (partition by child.child_key order by advice.requested_on asc, advice.request_id asc))::integer as request_number,
    advice.service,
    advice.provider_code,
    advice.requested_on,
    advice.due_on,
    case when advice.received_on <= {{ as_of() }} then advice.received_on end as received_on,
    advice.outcome
from {{ ref('stg_health_advice__advice') }} as advice
inner join {{ ref('int_child__keyed') }} as child
    on advice.person_id = child.person_id
where advice.requested_on <= {{ as_of() }}
