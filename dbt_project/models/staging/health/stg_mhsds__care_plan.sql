select distinct on (plan.orgidprov, plan.careplanid)
    plan.careplanid as care_plan_id,
    plan.localpatientid as local_patient_id,
    plan.orgidprov as provider_code,
    plan.careplancreatdate as created_on,
    {{ is_pseudonymised('plan', 'mhsds__mhs001mpi', 'nhsnumber') }} as is_pseudonymised,
    plan._delivery_id,
    plan._row_number
from {{ source('raw_icb', 'mhsds__mhs008careplantype') }} as plan
where plan._delivery_id in {{ manifest() }}
order by
    plan.orgidprov asc,
    plan.careplanid asc,
    plan.effective_from desc nulls last,
    plan.reportingperiodenddate desc nulls last,
    plan._delivery_id asc,
    plan._row_number desc
