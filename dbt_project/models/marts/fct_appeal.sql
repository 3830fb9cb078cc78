select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    (row_number() over (order by appeal.registered_on asc nulls last, appeal.appeal_id asc))::integer as appeal_number,
    child.child_key,
    appeal.decision_kind,
    appeal.decision_on,
    appeal.registered_on,
    appeal.hearing_on,
    appeal.closed_on,
    appeal.outcome,
    appeal.order_on,
    appeal.order_kind,
    appeal.order_due_on,
    appeal.complied_on,
    appeal.recommendation_to,
    appeal.recommended_on,
    appeal.recommendation_replied_on
from {{ ref('int_appeal__due') }} as appeal
left join {{ ref('int_child__keyed') }} as child
    on appeal.person_id = child.person_id
