-- The first day on which each condition was diagnosed under a referral.
with diagnosis as (
    select
        'csds/' || community.provider_code || '/' || community.referral_id as referral_key,
        community.scheme,
        community.diagnosis_code,
        community.diagnosed_on
    from {{ ref('stg_csds__diagnosis') }} as community
    union all
    select
        'mhsds/' || mental.provider_code || '/' || mental.referral_id as referral_key,
        mental.scheme,
        mental.diagnosis_code,
        mental.diagnosed_on
    from {{ ref('stg_mhsds__diagnosis') }} as mental
)

select
    referral.referral_key,
    code.counts_as as condition,
    min(diagnosis.diagnosed_on) as diagnosed_on,
    min(referral.data_set) as data_set,
    min(referral.provider_code) as provider_code,
    min(referral.person_id) as person_id,
    min(referral.district_code) as district_code,
    min(referral.service) as service,
    min(referral.referral_number) as referral_number,
    min(referral.pathway) as pathway,
    min(referral.received_on) as received_on
from diagnosis
inner join {{ ref('int_health_referral') }} as referral
    on diagnosis.referral_key = referral.referral_key
inner join {{ ref('health_codes') }} as code
    on
        diagnosis.scheme = code.scheme
        and diagnosis.diagnosis_code = code.code
        and code.element = 'diagnosis'
where diagnosis.diagnosed_on <= {{ as_of() }}
group by referral.referral_key, code.counts_as
