-- Each month's extract has the version again; the latest says what became of it.
select distinct on (plan.plan_id)
    plan.plan_id,
    plan.case_id,
    plan.plan_kind,
    plan.draft_on,
    plan.final_on,
    plan.replaced_on,
    plan.ceased_on,
    {{ code('plan.cease_reason') }} as cease_reason,
    {{ code('plan.urn') }} as urn,
    {{ code('plan.ukprn') }} as ukprn,
    {{ code('plan.sen_setting') }} as sen_setting,
    coalesce(plan.is_type_only, false) as is_type_only,
    plan.transfer_kind,
    plan.transfer_on,
    plan.has_section_c,
    plan.has_section_d,
    plan.has_section_g,
    plan.has_section_h,
    plan.child_view_on,
    plan.child_view_method,
    plan.child_view_reason,
    delivery.reference_on,
    plan._delivery_id,
    plan._row_number
from {{ source('raw_council', 'ehc_casework__plan') }} as plan
inner join {{ source('landing', 'delivery') }} as delivery
    on plan._delivery_id = delivery.delivery_id
where plan._delivery_id in {{ manifest() }}
order by
    plan.plan_id asc,
    delivery.reference_on desc nulls last,
    plan._delivery_id asc,
    plan._row_number desc
