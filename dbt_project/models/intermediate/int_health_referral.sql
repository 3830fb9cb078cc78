-- What each referral came to by the reporting date.
with submitted as (
    select
        'csds' as data_set,
        community.provider_code,
        'csds/' || community.provider_code || '/' || community.referral_id as referral_key,
        community.local_patient_id,
        community.is_pseudonymised,
        community.received_on,
        community.discharged_on,
        null::date as rejected_on,
        null::text as team_type,
        null::text as pathway,
        null::text as urgency,
        community.submitted_to_on
    from {{ ref('stg_csds__referral') }} as community
    union all
    select
        'mhsds' as data_set,
        mental.provider_code,
        'mhsds/' || mental.provider_code || '/' || mental.referral_id as referral_key,
        mental.local_patient_id,
        mental.is_pseudonymised,
        mental.received_on,
        mental.discharged_on,
        mental.rejected_on,
        mental.team_type,
        reason.counts_as as pathway,
        urgency.counts_as as urgency,
        mental.submitted_to_on
    from {{ ref('stg_mhsds__referral') }} as mental
    left join {{ ref('health_codes') }} as reason
        on
            mental.primary_reason = reason.code
            and reason.element = 'mental_health_reason'
    left join {{ ref('health_codes') }} as urgency
        on
            mental.priority = urgency.code
            and urgency.element = 'mental_health_priority'
),

team as (
    select
        'csds/' || community.provider_code || '/' || community.referral_id as referral_key,
        community.team_type,
        community.closed_on,
        community.rejected_on
    from {{ ref('stg_csds__service_type') }} as community
    union all
    select
        'mhsds/' || mental.provider_code || '/' || mental.referral_id as referral_key,
        mental.team_type,
        mental.closed_on,
        mental.rejected_on
    from {{ ref('stg_mhsds__service_type') }} as mental
),

-- A referral that every team has rejected or closed is over, on the day of the last.
referred as (
    select
        team.referral_key,
        min(team.team_type) as team_type,
        case
            when bool_and(coalesce(team.rejected_on <= {{ as_of() }}, false)) then max(team.rejected_on)
        end as rejected_on,
        case
            when bool_and(coalesce(least(team.closed_on, team.rejected_on) <= {{ as_of() }}, false))
                then max(least(team.closed_on, team.rejected_on))
        end as closed_on
    from team
    group by team.referral_key
),

seen as (
    select
        contact.referral_key,
        min(contact.contact_on) filter (where contact.attended_number = 1) as first_contact_on,
        min(contact.contact_on) filter (where contact.attended_number = 2) as second_contact_on
    from {{ ref('int_health_contact') }} as contact
    where contact.attended_number <= 2
    group by contact.referral_key
),

ended as (
    select
        submitted.*,
        coalesce(submitted.team_type, referred.team_type) as given_team_type,
        case when submitted.discharged_on <= {{ as_of() }} then submitted.discharged_on end as was_discharged_on,
        coalesce(case when submitted.rejected_on <= {{ as_of() }} then submitted.rejected_on end, referred.rejected_on) as was_rejected_on,
        referred.closed_on,
        -- A provider that no longer submits a referral, and never ended it, has lost sight of it.
        case
            when submitted.submitted_to_on < max(submitted.submitted_to_on) over (partition by submitted.data_set, submitted.provider_code)
                then submitted.submitted_to_on + 1
        end as lapsed_on
    from submitted
    left join referred
        on submitted.referral_key = referred.referral_key
    where submitted.received_on <= {{ as_of() }}
)

select
    ended.referral_key,
    ended.data_set,
    ended.provider_code,
    patient.person_id,
    patient.district_code,
    coalesce(team.service, 'other') as service,
    coalesce(team.is_of_help, false) as is_of_help,
    ended.pathway,
    ended.urgency,
    (
        row_number() over (
            partition by ended.data_set, ended.provider_code, team.service, patient.person_id
            order by ended.received_on asc, ended.referral_key asc
        )
    )::integer as referral_number,
    ended.received_on,
    ended.was_rejected_on as rejected_on,
    seen.first_contact_on,
    seen.second_contact_on,
    coalesce(least(ended.was_discharged_on, ended.was_rejected_on, ended.closed_on), ended.lapsed_on) as ended_on,
    case
        when ended.was_rejected_on is not null then 'rejected'
        when least(ended.was_discharged_on, ended.closed_on) is not null then 'discharged'
        when ended.lapsed_on is not null then 'no longer submitted'
    end as end_reason
from ended
inner join {{ ref('int_health_patient') }} as patient
    on
        ended.data_set = patient.data_set
        and ended.provider_code = patient.provider_code
        and ended.local_patient_id = patient.local_patient_id
        and ended.is_pseudonymised = patient.is_pseudonymised
left join {{ ref('health_teams') }} as team
    on
        ended.data_set = team.data_set
        and ended.given_team_type = team.team_type
left join seen
    on ended.referral_key = seen.referral_key
