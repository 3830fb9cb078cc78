-- A patient of the provider's own copy is never joined to one of the national copy, even by the provider's number (decision 0008).
with patient as (
    select
        'csds' as data_set,
        community.provider_code,
        community.local_patient_id,
        community.is_pseudonymised,
        community.person_id,
        community.postcode,
        community.effective_from_at,
        community._delivery_id,
        community._row_number
    from {{ ref('stg_csds__patient') }} as community
    union all
    select
        'mhsds' as data_set,
        mental.provider_code,
        mental.local_patient_id,
        mental.is_pseudonymised,
        mental.person_id,
        mental.postcode,
        mental.effective_from_at,
        mental._delivery_id,
        mental._row_number
    from {{ ref('stg_mhsds__patient') }} as mental
),

latest as (
    select distinct on (patient.data_set, patient.provider_code, patient.local_patient_id, patient.is_pseudonymised)
        patient.data_set,
        patient.provider_code,
        patient.local_patient_id,
        patient.is_pseudonymised,
        patient.person_id,
        patient.postcode
    from patient
    where patient.person_id is not null
    order by
        patient.data_set asc,
        patient.provider_code asc,
        patient.local_patient_id asc,
        patient.is_pseudonymised asc,
        patient.effective_from_at desc nulls last,
        patient._delivery_id asc,
        patient._row_number asc
),

district as (
    select distinct on (directory.postcode)
        directory.postcode,
        directory.district_code
    from {{ ref('stg_postcode_lookup__postcode') }} as directory
    where directory.postcode in (select home.postcode from latest as home)
    order by directory.postcode asc, directory._row_number asc
)

select
    latest.data_set,
    latest.provider_code,
    latest.local_patient_id,
    latest.is_pseudonymised,
    latest.person_id,
    district.district_code
from latest
left join district
    on latest.postcode = district.postcode
