select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    (row_number() over (order by ombudsman.decided_on asc nulls last, ombudsman.ombudsman_id asc))::integer as ombudsman_decision_number,
    child.child_key,
    ombudsman.theme,
    ombudsman.received_on,
    ombudsman.decided_on,
    ombudsman.decision,
    ombudsman.remedy_due_on,
    ombudsman.remedied_on
from {{ ref('stg_disputes__ombudsman') }} as ombudsman
left join {{ ref('int_child__keyed') }} as child
    on ombudsman.person_id = child.person_id
