-- A child's referrals to a provider's service that are open at once, or follow within the gap, are one spell; those rejected make none.
-- The clock of a spell for help stops when an outcome score, a care plan, an intervention and an assessment have all been recorded.
with followed as (
    select
        referral.referral_key,
        referral.data_set || '/' || referral.provider_code || '/' || referral.service || '/' || referral.person_id as service_key,
        referral.data_set,
        referral.provider_code,
        referral.service,
        referral.person_id,
        referral.district_code,
        referral.is_of_help,
        referral.received_on,
        referral.ended_on,
        referral.first_contact_on,
        referral.second_contact_on
    from {{ ref('int_health_referral') }} as referral
    where referral.rejected_on is null
),

dated as (
    select
        followed.*,
        max(coalesce(followed.ended_on, 'infinity'::date)) over (
            partition by followed.service_key
            order by followed.received_on asc, followed.referral_key asc
            rows between unbounded preceding and 1 preceding
        ) as before_ended_on
    from followed
),

numbered as (
    select
        dated.*,
        (
            count(*) filter (
                where dated.before_ended_on is null or dated.received_on > dated.before_ended_on + {{ health_days('spell_gap') }}
            ) over (
                partition by dated.service_key
                order by dated.received_on asc, dated.referral_key asc
            )
        )::integer as spell_number
    from dated
),

keyed as (
    select
        numbered.*,
        numbered.service_key || '/' || numbered.spell_number as spell_key
    from numbered
),

done as (
    select
        'mhsds/' || activity.provider_code || '/' || activity.care_activity_id as activity_key,
        contact.referral_key,
        contact.contact_on,
        activity.procedure_code
    from {{ ref('stg_mhsds__care_activity') }} as activity
    inner join {{ ref('int_health_contact') }} as contact
        on 'mhsds/' || activity.provider_code || '/' || activity.care_contact_id = contact.contact_key
    where contact.is_attended
),

coded as (
    select
        done.referral_key,
        done.contact_on as recorded_on,
        'procedure' as element,
        done.procedure_code as code
    from done
    union all
    select
        done.referral_key,
        done.contact_on as recorded_on,
        'score' as element,
        score.tool_code as code
    from {{ ref('stg_mhsds__activity_score') }} as score
    inner join done
        on 'mhsds/' || score.provider_code || '/' || score.care_activity_id = done.activity_key
    where score.has_score
    union all
    select
        'mhsds/' || score.provider_code || '/' || score.referral_id as referral_key,
        score.scored_on as recorded_on,
        'score' as element,
        score.tool_code as code
    from {{ ref('stg_mhsds__referral_score') }} as score
    where score.has_score and score.scored_on <= {{ as_of() }}
),

recorded as (
    select
        coded.referral_key,
        min(coded.recorded_on) filter (where code.counts_as = 'outcome') as scored_on,
        min(coded.recorded_on) filter (where code.counts_as = 'treatment') as treated_on,
        min(coded.recorded_on) filter (where code.counts_as = 'assessment') as assessed_on
    from coded
    inner join {{ ref('health_codes') }} as code
        on
            coded.element = code.element
            and coded.code = code.code
    group by coded.referral_key
),

spell as (
    select
        keyed.spell_key,
        min(keyed.data_set) as data_set,
        min(keyed.provider_code) as provider_code,
        min(keyed.service) as service,
        min(keyed.spell_number) as spell_number,
        min(keyed.person_id) as person_id,
        min(keyed.district_code) as district_code,
        bool_or(keyed.is_of_help) as is_of_help,
        count(*)::integer as referrals,
        min(keyed.received_on) as started_on,
        case when bool_and(keyed.ended_on is not null) then max(keyed.ended_on) end as ended_on,
        min(recorded.scored_on) as scored_on,
        min(recorded.treated_on) as treated_on,
        min(recorded.assessed_on) as assessed_on
    from keyed
    left join recorded
        on keyed.referral_key = recorded.referral_key
    group by keyed.spell_key
),

attended as (
    select
        keyed.spell_key,
        unnest(array[keyed.first_contact_on, keyed.second_contact_on]) as contact_on
    from keyed
),

seen as (
    select
        attended.spell_key,
        array_agg(attended.contact_on order by attended.contact_on asc) as contacts
    from attended
    where attended.contact_on is not null
    group by attended.spell_key
),

-- A care plan is the child's, not a referral's: it belongs to the spell that it was made in.
planned as (
    select
        spell.spell_key,
        min(plan.created_on) as planned_on
    from spell
    inner join {{ ref('int_health_patient') }} as patient
        on
            spell.data_set = patient.data_set
            and spell.provider_code = patient.provider_code
            and spell.person_id = patient.person_id
    inner join {{ ref('stg_mhsds__care_plan') }} as plan
        on
            patient.provider_code = plan.provider_code
            and patient.local_patient_id = plan.local_patient_id
            and patient.is_pseudonymised = plan.is_pseudonymised
    where
        spell.data_set = 'mhsds'
        and spell.is_of_help
        and plan.created_on <= {{ as_of() }}
        and plan.created_on between spell.started_on and coalesce(spell.ended_on, 'infinity'::date)
    group by spell.spell_key
)

select
    spell.spell_key,
    spell.data_set,
    spell.provider_code,
    spell.service,
    spell.person_id,
    spell.spell_number,
    spell.district_code,
    spell.is_of_help,
    spell.referrals,
    spell.started_on,
    spell.ended_on,
    seen.contacts[1] as first_contact_on,
    seen.contacts[2] as second_contact_on,
    case
        when
            spell.is_of_help
            and spell.scored_on is not null
            and planned.planned_on is not null
            and spell.treated_on is not null
            and spell.assessed_on is not null
            then greatest(spell.scored_on, planned.planned_on, spell.treated_on, spell.assessed_on)
    end as help_started_on
from spell
left join seen
    on spell.spell_key = seen.spell_key
left join planned
    on spell.spell_key = planned.spell_key
