select
    patient.localpatientid as local_patient_id,
    patient.orgidprov as provider_code,
    {{ postcode('patient.postcode') }} as postcode,
    {{ is_pseudonymised('patient', 'mhsds__mhs001mpi', 'nhsnumber') }} as is_pseudonymised,
    patient.effective_from as effective_from_at,
    patient._delivery_id,
    patient._row_number,
    link.person_id
from {{ source('raw_icb', 'mhsds__mhs001mpi') }} as patient
left join {{ source('identity', 'link') }} as link
    on
        patient._delivery_id = link.delivery_id
        and patient._row_number = link.row_number
        and link.table_name = 'mhsds__mhs001mpi'
where patient._delivery_id in {{ manifest() }}
