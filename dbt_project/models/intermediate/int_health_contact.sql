-- Contacts up to the reporting date, numbered within their referral; those that the child attended are numbered on their own, too.
with contact as (
    select
        'csds' as data_set,
        community.provider_code,
        community.referral_id,
        community.care_contact_id,
        community.contact_on,
        community.medium,
        community.attendance
    from {{ ref('stg_csds__care_contact') }} as community
    union all
    select
        'mhsds' as data_set,
        mental.provider_code,
        mental.referral_id,
        mental.care_contact_id,
        mental.contact_on,
        mental.medium,
        mental.attendance
    from {{ ref('stg_mhsds__care_contact') }} as mental
),

attended as (
    select
        contact.data_set || '/' || contact.provider_code || '/' || contact.referral_id as referral_key,
        contact.data_set || '/' || contact.provider_code || '/' || contact.care_contact_id as contact_key,
        contact.contact_on,
        contact.medium,
        contact.attendance,
        coalesce(attendance.is_attended, false) as is_attended
    from contact
    left join {{ ref('attendance_codes') }} as attendance
        on contact.attendance = attendance.attendance
    where contact.contact_on <= {{ as_of() }}
)

select
    attended.referral_key,
    attended.contact_key,
    attended.contact_on,
    attended.medium,
    attended.attendance,
    attended.is_attended,
    (row_number() over in_referral)::integer as contact_number,
    case
        when attended.is_attended
            then (count(*) filter (where attended.is_attended) over in_referral)::integer
    end as attended_number
from attended
window
    in_referral as (
        partition by attended.referral_key
        order by attended.contact_on asc, attended.contact_key asc
    )
