-- A referral is submitted again as it changes; the row with the latest effective-from date is what it came to.
select distinct on (referral.organisation_identifier_code_of_provider, referral.service_request_identifier)
    referral.service_request_identifier as referral_id,
    referral.local_patient_identifier_extended as local_patient_id,
    referral.organisation_identifier_code_of_provider as provider_code,
    referral.referral_request_received_date as received_on,
    referral.service_discharge_date as discharged_on,
    {{ code('referral.priority_type_code') }} as priority,
    referral.primary_reason_for_referral_community_care as primary_reason,
    referral.reporting_period_end_date as submitted_to_on,
    {{ is_pseudonymised('referral', 'csds__cyp001mpi', 'nhs_number') }} as is_pseudonymised,
    referral._delivery_id,
    referral._row_number
from {{ source('raw_icb', 'csds__cyp101referral') }} as referral
where referral._delivery_id in {{ manifest() }}
order by
    referral.organisation_identifier_code_of_provider asc,
    referral.service_request_identifier asc,
    referral.effective_from desc nulls last,
    referral.reporting_period_end_date desc nulls last,
    referral._delivery_id asc,
    referral._row_number desc
