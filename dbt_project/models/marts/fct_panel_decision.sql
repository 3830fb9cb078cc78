select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (partition by child.child_key order by decision.decided_on asc nulls last, decision.decision_id asc))::integer
        as decision_number,
    decision.panel,
    decision.referred_on,
    decision.decided_on,
    decision.decision,
    decision.specialist_need,
    decision.urn as establishment_urn,
    decision.placed_on,
    decision.withdrawn_on
from {{ ref('stg_ehc_casework__panel_decision') }} as decision
inner join {{ ref('stg_ehc_casework__case') }} as ehc_case
    on decision.case_id = ehc_case.case_id
inner join {{ ref('int_child__keyed') }} as child
    on ehc_case.person_id = child.person_id
