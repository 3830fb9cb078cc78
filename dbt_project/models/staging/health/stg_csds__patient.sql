select
    patient.local_patient_identifier_extended as local_patient_id,
    patient.organisation_identifier_code_of_provider as provider_code,
    {{ postcode('patient.postcode_of_usual_address') }} as postcode,
    {{ is_pseudonymised('patient', 'csds__cyp001mpi', 'nhs_number') }} as is_pseudonymised,
    patient.effective_from as effective_from_at,
    patient._delivery_id,
    patient._row_number,
    link.person_id
from {{ source('raw_icb', 'csds__cyp001mpi') }} as patient
left join {{ source('identity', 'link') }} as link
    on
        patient._delivery_id = link.delivery_id
        and patient._row_number = link.row_number
        and link.table_name = 'csds__cyp001mpi'
where patient._delivery_id in {{ manifest() }}
