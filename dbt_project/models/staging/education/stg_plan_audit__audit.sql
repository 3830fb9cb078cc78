-- Each month's register has the audit again; the latest says what became of it.
select distinct on (audit.audit_id)
    audit.audit_id,
    audit.plan_id,
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
    audit.has_child_view,
    audit.is_moderated,
    delivery.reference_on,
    audit._delivery_id,
    audit._row_number,
    link.person_id
from {{ source('raw_council', 'plan_audit__audit') }} as audit
inner join {{ source('landing', 'delivery') }} as delivery
    on audit._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        audit._delivery_id = link.delivery_id
        and audit._row_number = link.row_number
        and link.table_name = 'plan_audit__audit'
where audit._delivery_id in {{ manifest() }}
order by
    audit.audit_id asc,
    delivery.reference_on desc nulls last,
    audit._delivery_id asc,
    audit._row_number desc
