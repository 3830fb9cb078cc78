-- A referral waits until a first contact that the child attended.
with patient as (
    select distinct on (patient.provider_code, patient.local_patient_id)
        patient.provider_code,
        patient.local_patient_id,
        patient.person_id
    from {{ ref('stg_csds__patient') }} as patient
    where patient.person_id is not null
    order by
        patient.provider_code asc,
        patient.local_patient_id asc,
        patient.effective_from_at desc nulls last,
        patient._delivery_id asc,
        patient._row_number asc
),

refused as (
    select
        service.provider_code,
        service.referral_id
    from {{ ref('stg_csds__service_type') }} as service
    group by service.provider_code, service.referral_id
    having bool_and(coalesce(least(service.closed_on, service.rejected_on) <= {{ as_of() }}, false))
),

seen as (
    select distinct
        contact.provider_code,
        contact.referral_id
    from {{ ref('stg_csds__care_contact') }} as contact
    inner join {{ ref('attendance_codes') }} as attendance
        on contact.attendance = attendance.attendance
    where attendance.is_attended and contact.contact_on <= {{ as_of() }}
)

select
    referral.provider_code,
    referral.referral_id,
    patient.person_id,
    referral.received_on,
    seen.referral_id is null as is_waiting
from {{ ref('stg_csds__referral') }} as referral
inner join patient
    on
        referral.provider_code = patient.provider_code
        and referral.local_patient_id = patient.local_patient_id
left join refused
    on
        referral.provider_code = refused.provider_code
        and referral.referral_id = refused.referral_id
left join seen
    on
        referral.provider_code = seen.provider_code
        and referral.referral_id = seen.referral_id
where
    {{ is_open('referral.received_on', 'referral.discharged_on', as_of()) }}
    and refused.referral_id is null
