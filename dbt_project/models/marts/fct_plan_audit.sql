select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    (row_number() over (order by audit.audited_on asc nulls last, audit.audit_id asc))::integer as plan_audit_number,
    child.child_key,
    audit.audited_on,
    audit.agency,
    audit.overall_grade,
    audit.section_a_grade,
    audit.section_b_grade,
    audit.section_c_grade,
    audit.section_d_grade,
    audit.section_e_grade,
    audit.section_f_grade,
    audit.section_g_grade,
    audit.section_h_grade,
    audit.section_i_grade,
    audit.is_specific,
    audit.is_quantified,
    audit.has_child_view as has_view_of_child,
    audit.is_moderated
from {{ ref('stg_plan_audit__audit') }} as audit
left join {{ ref('int_child__keyed') }} as child
    on audit.person_id = child.person_id
