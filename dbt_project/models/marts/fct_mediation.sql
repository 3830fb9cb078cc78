select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    (row_number() over (order by mediation.contacted_on asc nulls last, mediation.mediation_id asc))::integer as mediation_number,
    child.child_key,
    mediation.decision_kind,
    mediation.decision_on,
    mediation.contacted_on,
    mediation.is_wanted,
    mediation.told_on,
    mediation.certificate_on,
    mediation.held_on,
    mediation.outcome
from {{ ref('stg_disputes__mediation') }} as mediation
left join {{ ref('int_child__keyed') }} as child
    on mediation.person_id = child.person_id
