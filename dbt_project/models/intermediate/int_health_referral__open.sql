-- Community referrals that are open on the reporting date; one waits until a first contact that the child attended.
select
    referral.referral_key,
    referral.person_id,
    referral.received_on,
    referral.first_contact_on is null as is_waiting
from {{ ref('int_health_referral') }} as referral
where
    referral.data_set = 'csds'
    and {{ is_open('referral.received_on', 'referral.ended_on', as_of()) }}
