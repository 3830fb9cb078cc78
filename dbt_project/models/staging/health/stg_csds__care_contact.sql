select distinct on (contact.organisation_identifier_code_of_provider, contact.care_contact_identifier)
    contact.care_contact_identifier as care_contact_id,
    contact.service_request_identifier as referral_id,
    contact.organisation_identifier_code_of_provider as provider_code,
    contact.care_contact_date as contact_on,
    {{ code('contact.consultation_medium_used') }} as medium,
    {{ code('contact.attended_or_did_not_attend_code') }} as attendance,
    contact._delivery_id,
    contact._row_number
from {{ source('raw_icb', 'csds__cyp201carecontact') }} as contact
where contact._delivery_id in {{ manifest() }}
order by
    contact.organisation_identifier_code_of_provider asc,
    contact.care_contact_identifier asc,
    contact.effective_from desc nulls last,
    contact.reporting_period_end_date desc nulls last,
    contact._delivery_id asc,
    contact._row_number desc
