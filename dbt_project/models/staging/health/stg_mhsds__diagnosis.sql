select distinct on (diagnosis.orgidprov, diagnosis.servicerequestid, diagnosis.diagschemeinuse, diagnosis.primdiag)
    diagnosis.servicerequestid as referral_id,
    diagnosis.orgidprov as provider_code,
    {{ code('diagnosis.diagschemeinuse') }} as scheme,
    {{ code('diagnosis.primdiag') }} as diagnosis_code,
    diagnosis.diagdate as diagnosed_on,
    diagnosis._delivery_id,
    diagnosis._row_number
from {{ source('raw_icb', 'mhsds__mhs604primdiag') }} as diagnosis
where diagnosis._delivery_id in {{ manifest() }}
order by
    diagnosis.orgidprov asc,
    diagnosis.servicerequestid asc,
    diagnosis.diagschemeinuse asc,
    diagnosis.primdiag asc,
    diagnosis.effective_from desc nulls last,
    diagnosis.reportingperiodenddate desc nulls last,
    diagnosis._delivery_id asc,
    diagnosis._row_number desc
