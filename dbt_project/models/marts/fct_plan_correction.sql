select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    (row_number() over (order by correction.reported_on asc nulls last, correction.correction_id asc))::integer as plan_correction_number,
    child.child_key,
    correction.plan_stage,
    correction.section,
    correction.reported_on,
    correction.reported_by,
    correction.decision,
    correction.decided_on,
    correction.is_refusal_explained,
    correction.is_in_comment_time,
    correction.is_in_final,
    case when correction.plan_stage = 'final' then correction.reissue_due_on end as reissue_due_on,
    correction.reissued_on
from {{ ref('int_plan_correction__judged') }} as correction
left join {{ ref('int_child__keyed') }} as child
    on correction.person_id = child.person_id
