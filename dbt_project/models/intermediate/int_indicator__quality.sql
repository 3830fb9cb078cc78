-- What is counted of the quality of plans: audits, errors reported, sections with text, and the child's view.
with plan as (
    select
        plan.*,
        request.person_id
    from {{ ref('stg_ehc_casework__plan') }} as plan
    left join {{ ref('stg_ehc_casework__case') }} as request
        on plan.case_id = request.case_id
),

-- The register of plans leaves out what ended long ago: before the first end that it tells of, it has a part of the plans only.
known as (
    select
        date_trunc('month', min(least(plan.replaced_on, plan.ceased_on)))::date as known_from_on,
        max(plan.reference_on) as latest_on
    from plan
),

-- A plan counts once in a period, however often it was looked at.
period_length as (
    select length.*
    from (
        values ('calendar_year', 'year', 12), ('quarter', 'quarter', 3), ('month', 'month', 1)
    ) as length (period_kind, unit, months)
),

-- An audit of a plan that nobody named is of a plan of its own.
audited as (
    select distinct on (
        period_length.period_kind,
        date_trunc(period_length.unit, audit.audited_on),
        coalesce(audit.plan_id, 'audit ' || audit.audit_id)
    )
        period_length.period_kind,
        audit.audited_on,
        audit.audit_id,
        audit.person_id
    from {{ ref('stg_plan_audit__audit') }} as audit
    cross join period_length
    order by
        period_length.period_kind asc,
        date_trunc(period_length.unit, audit.audited_on) asc,
        coalesce(audit.plan_id, 'audit ' || audit.audit_id) asc,
        audit.audited_on asc,
        audit.audit_id asc
),

-- In a subquery of their own they would be read again for every plan. A period of which not both registers tell all has no share: what
-- has not been told of yet was not left undone.
audits_told as (
    select
        min(audit.audited_on) as told_from_on,
        least({{ last_month_end('max(audit.reference_on)') }}, {{ last_month_end('max(known.latest_on)') }}) as told_to_on
    from {{ ref('stg_plan_audit__audit') }} as audit
    cross join known
),

issued as (
    select
        period_length.period_kind,
        plan.final_on,
        plan.plan_id,
        plan.person_id
    from plan
    cross join period_length
    cross join audits_told
    where
        date_trunc(period_length.unit, plan.final_on) between
        date_trunc(period_length.unit, audits_told.told_from_on)
        and (audits_told.told_to_on + 1) - make_interval(months => period_length.months)
),

looked_at as (
    select
        plan.plan_id,
        plan.final_on as looked_at_on
    from plan
    union all
    select
        review.plan_id,
        review.meeting_on as looked_at_on
    from {{ ref('stg_ehc_casework__review') }} as review
),

viewed as (
    select
        period_length.period_kind,
        min(looked_at.looked_at_on) as looked_at_on,
        plan.plan_id,
        plan.person_id,
        plan.child_view_method
    from looked_at
    inner join plan
        on looked_at.plan_id = plan.plan_id
    cross join period_length
    cross join known
    where
        plan.child_view_reason is null
        and looked_at.looked_at_on >= coalesce(known.known_from_on, looked_at.looked_at_on)
    group by
        period_length.period_kind,
        date_trunc(period_length.unit, looked_at.looked_at_on),
        plan.plan_id,
        plan.person_id,
        plan.child_view_method
),

in_force as (
    select
        period.period_to_on as day_on,
        plan.plan_id,
        plan.person_id,
        plan.has_section_g,
        plan.has_section_h
    from {{ ref('int_period') }} as period
    cross join known
    cross join plan
    where
        period.period_kind = 'month_end'
        and period.period_to_on >= coalesce(known.known_from_on, period.period_to_on)
        and {{ is_open('plan.final_on', 'least(plan.replaced_on, plan.ceased_on)', 'period.period_to_on') }}
),

agency as (
    select
        'Q05_health' as measure,
        referral.person_id,
        referral.received_on as started_on,
        referral.ended_on
    from {{ ref('int_health_referral') }} as referral
    union all
    select
        'Q05_social_care' as measure,
        episode.person_id,
        episode.started_on,
        episode.ended_on
    from {{ ref('int_social_care__episode') }} as episode
),

involved as (
    select distinct
        agency.measure,
        in_force.day_on,
        in_force.plan_id,
        in_force.person_id,
        case agency.measure when 'Q05_health' then in_force.has_section_g else in_force.has_section_h end as has_provision
    from in_force
    inner join agency
        on in_force.person_id = agency.person_id
    where {{ is_open('agency.started_on', 'agency.ended_on', 'in_force.day_on') }}
),

counted as (
    select
        'Q01' as measure,
        audited.period_kind,
        audited.audited_on as counted_on,
        audited.person_id,
        'audit ' || audited.audit_id as subject_id,
        1 as numerator,
        0 as denominator
    from audited
    union all
    select
        'Q01' as measure,
        issued.period_kind,
        issued.final_on as counted_on,
        issued.person_id,
        'plan ' || issued.plan_id as subject_id,
        0 as numerator,
        1 as denominator
    from issued
    union all
    select
        measure.measure,
        null as period_kind,
        audit.audited_on as counted_on,
        audit.person_id,
        'audit ' || audit.audit_id as subject_id,
        case measure.measure
            when 'Q02' then coalesce(audit.overall_grade in ('good', 'outstanding'), false)
            else coalesce(audit.is_specific and audit.is_quantified, false)
        end::integer as numerator,
        1 as denominator
    from {{ ref('stg_plan_audit__audit') }} as audit
    cross join (values ('Q02'), ('Q04')) as measure (measure)
    union all
    -- Before there is a final plan, nobody can say whether a correction was left out.
    select
        'Q03' as measure,
        null as period_kind,
        correction.reported_on as counted_on,
        correction.person_id,
        'correction ' || correction.correction_id as subject_id,
        (not correction.is_in_final)::integer as numerator,
        1 as denominator
    from {{ ref('int_plan_correction__judged') }} as correction
    where
        correction.plan_stage = 'draft'
        and correction.is_in_final is not null
        and correction.is_in_comment_time
        and not coalesce(correction.decision = 'refused' and correction.is_refusal_explained, false)
    union all
    select
        'Q06' as measure,
        null as period_kind,
        correction.reported_on as counted_on,
        correction.person_id,
        'correction ' || correction.correction_id as subject_id,
        coalesce(correction.reissued_on <= correction.reissue_due_on, false)::integer as numerator,
        1 as denominator
    from {{ ref('int_plan_correction__judged') }} as correction
    cross join known
    where
        correction.plan_stage = 'final'
        and correction.reissue_due_on <= known.latest_on
    union all
    select
        involved.measure,
        'month_end' as period_kind,
        involved.day_on as counted_on,
        involved.person_id,
        'plan ' || involved.plan_id as subject_id,
        coalesce(involved.has_provision, false)::integer as numerator,
        1 as denominator
    from involved
    union all
    select
        'V01' as measure,
        viewed.period_kind,
        viewed.looked_at_on as counted_on,
        viewed.person_id,
        'plan ' || viewed.plan_id as subject_id,
        (viewed.child_view_method is not null)::integer as numerator,
        1 as denominator
    from viewed
    union all
    select
        'V02' as measure,
        null as period_kind,
        review.meeting_on as counted_on,
        plan.person_id,
        'review ' || review.review_id as subject_id,
        coalesce(review.participation in ('attended', 'part_attended', 'views_sent'), false)::integer as numerator,
        1 as denominator
    from {{ ref('stg_ehc_casework__review') }} as review
    cross join known
    left join plan
        on review.plan_id = plan.plan_id
    where review.meeting_on >= coalesce(known.known_from_on, review.meeting_on)
)

select
    counted.measure,
    counted.period_kind::text as period_kind,
    counted.counted_on,
    counted.person_id,
    counted.subject_id,
    counted.numerator::numeric as numerator,
    counted.denominator::numeric as denominator,
    null::numeric as amount,
    null::text as provider,
    null::text as placement_type
from counted
where counted.counted_on <= {{ as_of() }}
