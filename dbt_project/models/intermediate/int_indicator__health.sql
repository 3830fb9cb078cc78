-- Contributions to H01 to H15. H12 has none: no feed says which children are due the review at two and a half.
-- A limit that a clock has is read off the clock; the others are thresholds.
with threshold as (
    select
        replace(limits.threshold, 'waiting_', '') as measure,
        limits.days
    from {{ ref('health_thresholds') }} as limits
    where
        limits.threshold in ('waiting_over_4_weeks', 'waiting_over_18_weeks', 'waiting_over_52_weeks')
        and {{ as_of() }} between limits.in_force_from_on and coalesce(limits.in_force_to_on, {{ as_of() }})
),

wait as (
    select
        waiting.*,
        period.period_kind
    from {{ ref('int_health_wait') }} as waiting
    inner join {{ ref('int_period') }} as period
        on
            waiting.snapshot_on = period.period_to_on
            and period.period_kind in ('as_of', 'month_end')
),

spell as (
    select
        spell.*,
        {{ month_ends('spell.started_on', 'spell.ended_on') }} as snapshot_on
    from {{ ref('int_health_spell') }} as spell
    where spell.is_of_help
    union all
    select
        spell.*,
        {{ as_of() }} as snapshot_on
    from {{ ref('int_health_spell') }} as spell
    where spell.is_of_help
),

waiting_for_help as (
    select
        spell.spell_key,
        spell.person_id,
        spell.provider_code,
        spell.started_on,
        spell.snapshot_on,
        period.period_kind
    from spell
    inner join {{ ref('int_period') }} as period
        on
            spell.snapshot_on = period.period_to_on
            and period.period_kind in ('as_of', 'month_end')
    where
        {{ is_open('spell.started_on', 'spell.ended_on', 'spell.snapshot_on') }}
        and (spell.help_started_on is null or spell.help_started_on > spell.snapshot_on)
),

referred_for_adhd as (
    select
        referral.person_id,
        max(referral.received_on) as received_on
    from {{ ref('int_health_referral') }} as referral
    where referral.pathway = 'adhd'
    group by referral.person_id
),

-- A child counts once in each period, from the first diagnosis of autism in it.
diagnosed as (
    select distinct on (period_day.period_kind, period_day.period_to_on, diagnosis.person_id)
        period_day.period_kind,
        diagnosis.person_id,
        diagnosis.diagnosed_on,
        diagnosis.provider_code,
        referred_for_adhd.received_on as latest_adhd_received_on
    from {{ ref('int_health_diagnosis') }} as diagnosis
    inner join {{ ref('int_period_day') }} as period_day
        on
            diagnosis.diagnosed_on = period_day.day_on
            and period_day.period_kind in ('month', 'quarter', 'calendar_year')
    left join referred_for_adhd
        on diagnosis.person_id = referred_for_adhd.person_id
    where diagnosis.pathway = 'autism' and diagnosis.condition = 'autism'
    order by
        period_day.period_kind asc,
        period_day.period_to_on asc,
        diagnosis.person_id asc,
        diagnosis.diagnosed_on asc,
        diagnosis.referral_key asc
),

-- Each trace at the end of its month, and the latest one at the latest month end.
trace_day as (
    select
        trace._delivery_id,
        period.period_to_on as counted_on,
        row_number() over (
            partition by period.period_to_on
            order by trace.reference_on desc, trace._delivery_id asc
        ) as recency
    from (
        select distinct
            record._delivery_id,
            record.reference_on
        from {{ ref('stg_nhs_number_trace__trace') }} as record
    ) as trace
    inner join {{ ref('int_period') }} as period
        on period.period_kind = 'month_end'
    where
        trace.reference_on <= period.period_to_on
        and (period.is_headline or date_trunc('month', trace.reference_on) = date_trunc('month', period.period_to_on))
),

traced as (
    select
        trace_day.counted_on,
        trace.council_person_id,
        trace.person_id,
        trace.is_traced
    from trace_day
    inner join {{ ref('stg_nhs_number_trace__trace') }} as trace
        on trace_day._delivery_id = trace._delivery_id
    where trace_day.recency = 1
),

counted as (
    select
        'H01' as measure,
        null::text as period_kind,
        clock.stopped_on as counted_on,
        clock.person_id,
        clock.subject_id,
        clock.stopped_on <= clock.due_on as is_counted,
        null::integer as amount,
        spell.provider_code as provider
    from {{ ref('int_clock__health') }} as clock
    inner join {{ ref('int_health_spell') }} as spell
        on clock.subject_id = spell.spell_key
    where clock.clock = 'CLK28' and clock.stopped_on is not null
    union all
    select
        'H02_' || threshold.measure as measure,
        waiting.period_kind,
        waiting.snapshot_on as counted_on,
        waiting.person_id,
        waiting.spell_key as subject_id,
        waiting.snapshot_on - waiting.started_on > threshold.days as is_counted,
        null as amount,
        waiting.provider_code as provider
    from waiting_for_help as waiting
    cross join threshold
    union all
    select
        'H03_' || clock.part as measure,
        null as period_kind,
        clock.stopped_on as counted_on,
        clock.person_id,
        clock.subject_id,
        clock.stopped_on <= clock.due_on as is_counted,
        null as amount,
        referral.provider_code as provider
    from {{ ref('int_clock__health') }} as clock
    inner join {{ ref('int_health_referral') }} as referral
        on clock.subject_id = referral.referral_key
    where clock.clock = 'CLK29' and clock.stopped_on is not null
    union all
    select
        'H04' as measure,
        wait.period_kind,
        wait.snapshot_on as counted_on,
        wait.person_id,
        wait.referral_key as subject_id,
        wait.is_waiting and wait.snapshot_on > clock.due_on as is_counted,
        null as amount,
        wait.provider_code as provider
    from wait
    inner join {{ ref('int_clock__health') }} as clock
        on
            wait.referral_key = clock.subject_id
            and clock.clock = 'CLK27'
    where wait.pathway = 'autism'
    union all
    select
        measure.measure,
        null as period_kind,
        referral.first_contact_on as counted_on,
        referral.person_id,
        referral.referral_key as subject_id,
        null as is_counted,
        referral.first_contact_on - referral.received_on as amount,
        referral.provider_code as provider
    from {{ ref('int_health_referral') }} as referral
    cross join (values ('H05_first_contact'), ('H08')) as measure (measure)
    where referral.pathway = 'autism' and referral.first_contact_on is not null
    union all
    select
        'H05_diagnosis' as measure,
        null as period_kind,
        diagnosis.diagnosed_on as counted_on,
        diagnosis.person_id,
        diagnosis.referral_key as subject_id,
        null as is_counted,
        diagnosis.diagnosed_on - diagnosis.received_on as amount,
        diagnosis.provider_code as provider
    from {{ ref('int_health_diagnosis') }} as diagnosis
    where diagnosis.pathway = 'autism' and diagnosis.condition = 'autism'
    union all
    select
        'H06_' || threshold.measure as measure,
        wait.period_kind,
        wait.snapshot_on as counted_on,
        wait.person_id,
        wait.referral_key as subject_id,
        wait.is_waiting and wait.days_waited > threshold.days as is_counted,
        null as amount,
        wait.provider_code as provider
    from wait
    cross join threshold
    where wait.pathway = 'adhd' and threshold.measure <> 'over_4_weeks'
    union all
    select
        'H07' as measure,
        diagnosed.period_kind,
        diagnosed.diagnosed_on as counted_on,
        diagnosed.person_id,
        diagnosed.person_id as subject_id,
        coalesce(diagnosed.latest_adhd_received_on >= diagnosed.diagnosed_on, false) as is_counted,
        null as amount,
        diagnosed.provider_code as provider
    from diagnosed
    union all
    select
        'H09' as measure,
        wait.period_kind,
        wait.snapshot_on as counted_on,
        wait.person_id,
        wait.referral_key as subject_id,
        wait.days_waited <= {{ health_days('waiting_over_18_weeks') }} as is_counted,
        null as amount,
        wait.provider_code as provider
    from wait
    where wait.data_set = 'csds' and wait.is_waiting and wait.service = 'speech_and_language'
    union all
    select
        'H10' as measure,
        wait.period_kind,
        wait.snapshot_on as counted_on,
        wait.person_id,
        wait.referral_key as subject_id,
        wait.days_waited > {{ health_days('waiting_over_52_weeks') }} as is_counted,
        null as amount,
        wait.provider_code as provider
    from wait
    where wait.data_set = 'csds' and wait.is_waiting
    union all
    select
        'H11' as measure,
        period_day.period_kind,
        referral.first_contact_on as counted_on,
        referral.person_id,
        referral.referral_key as subject_id,
        referral.first_contact_on - referral.received_on <= {{ health_days('diagnostic') }} as is_counted,
        null as amount,
        referral.provider_code as provider
    from {{ ref('int_health_referral') }} as referral
    inner join {{ ref('int_period_day') }} as period_day
        on
            referral.first_contact_on = period_day.day_on
            and period_day.period_kind in ('month', 'quarter', 'calendar_year')
    where
        referral.service = 'audiology'
        and period_day.period_to_on >= {{ months_before(24, as_of()) }}
    union all
    select
        'H11' as measure,
        period.period_kind,
        waiting.snapshot_on as counted_on,
        waiting.person_id,
        waiting.referral_key as subject_id,
        waiting.days_waited <= {{ health_days('diagnostic') }} as is_counted,
        null as amount,
        waiting.provider_code as provider
    from {{ ref('int_health_wait') }} as waiting
    inner join {{ ref('int_period') }} as period
        on
            waiting.snapshot_on = period.period_to_on
            and period.period_kind in ('month', 'quarter', 'calendar_year')
    where waiting.service = 'audiology' and waiting.is_waiting
    union all
    select
        'H13' as measure,
        'month_end' as period_kind,
        traced.counted_on,
        traced.person_id,
        traced.council_person_id as subject_id,
        traced.is_traced as is_counted,
        null as amount,
        null as provider
    from traced
    union all
    select
        'H14' as measure,
        null as period_kind,
        entry.admitted_on as counted_on,
        entry.person_id,
        entry.register_id as subject_id,
        coalesce(entry.first_review_on <= entry.admitted_on + {{ health_days('review_after_admission') }}, false) as is_counted,
        null as amount,
        entry.provider_code as provider
    from {{ ref('int_dynamic_support') }} as entry
    where
        entry.admitted_on is not null
        and (entry.is_autistic or entry.has_learning_disability)
        and entry.age_when_admitted < 18
    union all
    select
        'H15' as measure,
        null as period_kind,
        notification.notified_on as counted_on,
        notification.person_id,
        notification.notification_id as subject_id,
        coalesce(notification.replied_on <= {{ as_of() }}, false) as is_counted,
        null as amount,
        notification.provider_code as provider
    from {{ ref('stg_health_advice__notification') }} as notification
    where notification.notified_on <= {{ as_of() }}
)

select
    counted.measure,
    counted.period_kind,
    counted.counted_on,
    counted.person_id,
    counted.subject_id,
    counted.is_counted::integer::numeric as numerator,
    1::numeric as denominator,
    counted.amount::numeric as amount,
    counted.provider,
    null::text as placement_type
from counted
