-- A referral may have several periods; the latest effective row of each.
select distinct on (
    period.organisation_identifier_code_of_provider,
    period.service_request_identifier,
    period.referral_to_treatment_period_start_date
)
    period.service_request_identifier as referral_id,
    period.organisation_identifier_code_of_provider as provider_code,
    {{ code('period.waiting_time_measurement_type_community_care') }} as measure_type,
    period.referral_to_treatment_period_start_date as started_on,
    period.referral_to_treatment_period_end_date as ended_on,
    {{ code('period.referral_to_treatment_period_status') }} as status,
    period._delivery_id,
    period._row_number
from {{ source('raw_icb', 'csds__cyp104rtt') }} as period
where period._delivery_id in {{ manifest() }}
order by
    period.organisation_identifier_code_of_provider asc,
    period.service_request_identifier asc,
    period.referral_to_treatment_period_start_date asc,
    period.effective_from desc nulls last,
    period.reporting_period_end_date desc nulls last,
    period._delivery_id asc,
    period._row_number desc
