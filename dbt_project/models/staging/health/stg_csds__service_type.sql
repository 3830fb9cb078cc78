-- The latest effective row of each team that a referral was made to.
select distinct on (
    service.organisation_identifier_code_of_provider,
    service.service_request_identifier,
    service.service_or_team_type_referred_to_community_care,
    service.care_professional_team_local_identifier
)
    service.service_request_identifier as referral_id,
    service.organisation_identifier_code_of_provider as provider_code,
    service.service_or_team_type_referred_to_community_care as team_type,
    service.referral_closure_date as closed_on,
    service.referral_rejection_date as rejected_on,
    service._delivery_id,
    service._row_number
from {{ source('raw_icb', 'csds__cyp102servicetypereferredto') }} as service
where service._delivery_id in {{ manifest() }}
order by
    service.organisation_identifier_code_of_provider asc,
    service.service_request_identifier asc,
    service.service_or_team_type_referred_to_community_care asc,
    service.care_professional_team_local_identifier asc,
    service.effective_from desc nulls last,
    service.reporting_period_end_date desc nulls last,
    service._delivery_id asc,
    service._row_number desc
