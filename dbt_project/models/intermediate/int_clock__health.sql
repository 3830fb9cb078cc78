-- A referral that ends by its last day without what it waited for has no more to wait for, and is excused. What ends later was waited for
-- too long, however it ended, and stays overdue; only the choice of the patient excuses at any time, as the standard itself has it.
with timed as (
    select
        'mhsds/' || mental.provider_code || '/' || mental.referral_id as referral_key,
        mental.measure_type,
        mental.started_on,
        mental.ended_on,
        mental.status
    from {{ ref('stg_mhsds__rtt') }} as mental
    union all
    select
        'csds/' || community.provider_code || '/' || community.referral_id as referral_key,
        community.measure_type,
        community.started_on,
        community.ended_on,
        community.status
    from {{ ref('stg_csds__rtt') }} as community
),

treated as (
    select
        timed.referral_key,
        measure.counts_as as measured,
        timed.started_on,
        case when timed.ended_on <= {{ as_of() }} then timed.ended_on end as ended_on,
        status.counts_as as outcome
    from timed
    inner join {{ ref('health_codes') }} as measure
        on
            timed.measure_type = measure.code
            and measure.element = 'waiting_time'
    left join {{ ref('health_codes') }} as status
        on
            timed.status = status.code
            and status.element = 'rtt_status'
    where timed.started_on <= {{ as_of() }}
),

eating as (
    select
        treated.referral_key,
        min(treated.ended_on) as treated_on
    from treated
    where treated.measured = 'eating_disorder' and treated.outcome = 'treatment'
    group by treated.referral_key
),

run as (
    select
        'CLK27' as clock,
        '' as part,
        referral.person_id,
        referral.referral_key as subject_id,
        referral.received_on as started_on,
        referral.first_contact_on as stopped_on,
        referral.ended_on,
        referral.end_reason,
        null::text as exemption
    from {{ ref('int_health_referral') }} as referral
    where referral.pathway = 'autism'
    union all
    select
        'CLK28' as clock,
        '' as part,
        spell.person_id,
        spell.spell_key as subject_id,
        spell.started_on,
        spell.help_started_on as stopped_on,
        spell.ended_on,
        'discharged' as end_reason,
        null as exemption
    from {{ ref('int_health_spell') }} as spell
    where spell.is_of_help
    union all
    select
        'CLK29' as clock,
        referral.urgency as part,
        referral.person_id,
        referral.referral_key as subject_id,
        referral.received_on as started_on,
        eating.treated_on as stopped_on,
        referral.ended_on,
        referral.end_reason,
        null as exemption
    from {{ ref('int_health_referral') }} as referral
    left join eating
        on referral.referral_key = eating.referral_key
    where referral.pathway = 'eating_disorder' and referral.urgency is not null
    union all
    select
        'CLK30' as clock,
        '' as part,
        referral.person_id,
        treated.referral_key || '/' || treated.started_on as subject_id,
        treated.started_on,
        case when treated.outcome = 'treatment' then treated.ended_on end as stopped_on,
        coalesce(case when treated.outcome = 'no_treatment' then treated.ended_on end, referral.ended_on) as ended_on,
        case when treated.outcome = 'no_treatment' and treated.ended_on is not null then 'not to be treated' else referral.end_reason end
            as end_reason,
        case when treated.outcome = 'patient_choice' and treated.ended_on is not null then 'choice of the patient' end as exemption
    from treated
    inner join {{ ref('int_health_referral') }} as referral
        on treated.referral_key = referral.referral_key
    where treated.measured = 'consultant_led'
),

started as (
    select
        run.*,
        run.exemption is not null as is_exempt
    from run
),

dated as (
    {{ with_due_dates('started', also=['ended_on', 'end_reason']) }}
),

judged as (
    select
        dated.*,
        coalesce(dated.stopped_on is null and dated.ended_on <= dated.due_on, false) as is_ended_in_time
    from dated
)

select
    judged.clock,
    judged.part,
    judged.person_id,
    judged.subject_id,
    judged.started_on,
    judged.due_on,
    judged.stopped_on,
    judged.is_exempt or judged.is_ended_in_time as is_exempt,
    case when judged.is_ended_in_time then coalesce(judged.exemption, judged.end_reason) else judged.exemption end as exemption
from judged
