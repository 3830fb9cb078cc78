select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    entry.started_on,
    entry.ended_on,
    {{ is_open('entry.started_on', 'entry.ended_on', as_of()) }} as is_open,
    entry.reason,
    entry.has_known_reason,
    entry.is_dissatisfied,
    entry.sen_provision,
    entry.has_open_request
from {{ ref('int_home_education__entered') }} as entry
inner join {{ ref('int_child__keyed') }} as child
    on entry.person_id = child.person_id
