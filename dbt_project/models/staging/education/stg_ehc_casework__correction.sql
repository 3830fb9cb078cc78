-- Each month's register has the report again; the latest says what became of it.
select distinct on (correction.correction_id)
    correction.correction_id,
    correction.plan_id,
    correction.plan_stage,
    correction.section,
    correction.reported_on,
    correction.reported_by,
    correction.decision,
    correction.decided_on,
    correction.is_refusal_explained,
    correction.is_in_final,
    correction.reissued_on,
    delivery.reference_on,
    correction._delivery_id,
    correction._row_number
from {{ source('raw_council', 'ehc_casework__correction') }} as correction
inner join {{ source('landing', 'delivery') }} as delivery
    on correction._delivery_id = delivery.delivery_id
where correction._delivery_id in {{ manifest() }}
order by
    correction.correction_id asc,
    delivery.reference_on desc nulls last,
    correction._delivery_id asc,
    correction._row_number desc
