select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    referral.data_set,
    referral.provider_code,
    referral.service,
    referral.referral_number,
    contact.contact_number,
    referral.district_code,
    contact.contact_on,
    contact.medium,
    contact.attendance,
    contact.is_attended,
    contact.attended_number
from {{ ref('int_health_contact') }} as contact
inner join {{ ref('int_health_referral') }} as referral
    on contact.referral_key = referral.referral_key
inner join {{ ref('int_child__keyed') }} as child
    on referral.person_id = child.person_id
