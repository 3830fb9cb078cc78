select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (
        row_number() over (
            partition by child.child_key
            order by coalesce(plan.final_on, plan.draft_on) asc nulls last, plan.plan_id asc
        )
    )::integer as version_number,
    plan.plan_kind,
    plan.draft_on,
    plan.final_on,
    plan.replaced_on,
    plan.ceased_on,
    plan.cease_reason,
    plan.urn as establishment_urn,
    plan.sen_setting,
    plan.is_type_only,
    plan.transfer_kind,
    plan.transfer_on,
    plan.has_section_c,
    plan.has_section_d,
    plan.has_section_g,
    plan.has_section_h,
    plan.child_view_on,
    plan.child_view_method,
    plan.child_view_reason
from {{ ref('stg_ehc_casework__plan') }} as plan
inner join {{ ref('stg_ehc_casework__case') }} as ehc_case
    on plan.case_id = ehc_case.case_id
inner join {{ ref('int_child__keyed') }} as child
    on ehc_case.person_id = child.person_id
