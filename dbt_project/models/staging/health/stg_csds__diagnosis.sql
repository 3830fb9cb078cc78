select distinct on (
    diagnosis.organisation_identifier_code_of_provider,
    diagnosis.service_request_identifier,
    diagnosis.diagnosis_scheme_in_use_community_care,
    diagnosis.primary_diagnosis_coded_clinical_entry
)
    diagnosis.service_request_identifier as referral_id,
    diagnosis.organisation_identifier_code_of_provider as provider_code,
    {{ code('diagnosis.diagnosis_scheme_in_use_community_care') }} as scheme,
    {{ code('diagnosis.primary_diagnosis_coded_clinical_entry') }} as diagnosis_code,
    diagnosis.diagnosis_date as diagnosed_on,
    diagnosis._delivery_id,
    diagnosis._row_number
from {{ source('raw_icb', 'csds__cyp607primdiag') }} as diagnosis
where diagnosis._delivery_id in {{ manifest() }}
order by
    diagnosis.organisation_identifier_code_of_provider asc,
    diagnosis.service_request_identifier asc,
    diagnosis.diagnosis_scheme_in_use_community_care asc,
    diagnosis.primary_diagnosis_coded_clinical_entry asc,
    diagnosis.effective_from desc nulls last,
    diagnosis.reporting_period_end_date desc nulls last,
    diagnosis._delivery_id asc,
    diagnosis._row_number desc
