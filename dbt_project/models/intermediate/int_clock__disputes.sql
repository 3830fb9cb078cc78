-- What counts of a family's time to appeal is the later of two days, and each is a part of its clock: the later one alone is kept.
with certificate as (
    select
        appeal.appeal_id,
        max(mediation.certificate_on) as certificate_on
    from {{ ref('stg_disputes__appeal') }} as appeal
    inner join {{ ref('stg_disputes__mediation') }} as mediation
        on
            appeal.person_id = mediation.person_id
            and appeal.decision_kind = mediation.decision_kind
            and appeal.decision_on = mediation.decision_on
    where mediation.certificate_on <= appeal.registered_on
    group by appeal.appeal_id
),

drafted as (
    select
        appeal.appeal_id,
        min(plan.draft_on) filter (where plan.draft_on >= appeal.order_on) as draft_on,
        min(plan.final_on) filter (where plan.final_on >= appeal.order_on) as final_on
    from {{ ref('stg_disputes__appeal') }} as appeal
    inner join {{ ref('stg_ehc_casework__case') }} as request
        on appeal.person_id = request.person_id
    inner join {{ ref('stg_ehc_casework__plan') }} as plan
        on request.case_id = plan.case_id
    where appeal.order_kind in ('assess', 'issue')
    group by appeal.appeal_id
),

-- A refusal after the plan is one of another request.
refused as (
    select
        appeal.appeal_id,
        min(request.issue_decided_on) as refused_on
    from {{ ref('stg_disputes__appeal') }} as appeal
    inner join {{ ref('stg_ehc_casework__case') }} as request
        on appeal.person_id = request.person_id
    left join drafted
        on appeal.appeal_id = drafted.appeal_id
    where
        appeal.order_kind = 'assess'
        and request.issue_outcome = 'N'
        and request.issue_decided_on >= appeal.order_on
        and coalesce(request.issue_decided_on < drafted.final_on, true)
    group by appeal.appeal_id
),

appeal as (
    select
        appeal.*,
        'appeal ' || appeal.appeal_id as subject_id,
        certificate.certificate_on,
        drafted.draft_on,
        drafted.final_on,
        refused.refused_on
    from {{ ref('stg_disputes__appeal') }} as appeal
    left join certificate
        on appeal.appeal_id = certificate.appeal_id
    left join drafted
        on appeal.appeal_id = drafted.appeal_id
    left join refused
        on appeal.appeal_id = refused.appeal_id
),

mediation as (
    select
        mediation.*,
        'mediation ' || mediation.mediation_id as subject_id
    from {{ ref('stg_disputes__mediation') }} as mediation
),

event as (
    select
        'CLK16' as clock,
        'decision' as part,
        mediation.person_id,
        mediation.subject_id,
        mediation.decision_on as started_on,
        mediation.contacted_on as stopped_on
    from mediation
    union all
    select
        'CLK16' as clock,
        'decision' as part,
        appeal.person_id,
        appeal.subject_id,
        appeal.decision_on as started_on,
        appeal.registered_on as stopped_on
    from appeal
    union all
    select
        'CLK16' as clock,
        'certificate' as part,
        appeal.person_id,
        appeal.subject_id,
        appeal.certificate_on as started_on,
        appeal.registered_on as stopped_on
    from appeal
    union all
    select
        'CLK17' as clock,
        '' as part,
        mediation.person_id,
        mediation.subject_id,
        mediation.contacted_on as started_on,
        mediation.certificate_on as stopped_on
    from mediation
    where not mediation.is_wanted
    union all
    select
        'CLK18' as clock,
        '' as part,
        mediation.person_id,
        mediation.subject_id,
        mediation.told_on as started_on,
        mediation.held_on as stopped_on
    from mediation
    where mediation.is_wanted
    union all
    select
        'CLK19' as clock,
        'start' as part,
        appeal.person_id,
        appeal.subject_id,
        appeal.order_on as started_on,
        appeal.complied_on as stopped_on
    from appeal
    where appeal.order_kind = 'assess'
    union all
    -- An ordered assessment ends in a refusal or in a plan: until there is a refusal, it is the plan that is awaited.
    select
        'CLK19' as clock,
        case when appeal.refused_on is null then 'final' else 'decide' end as part,
        appeal.person_id,
        appeal.subject_id,
        appeal.order_on as started_on,
        coalesce(appeal.refused_on, appeal.final_on) as stopped_on
    from appeal
    where appeal.order_kind = 'assess'
    union all
    -- Of a plan that was sent and whose draft nobody recorded, the draft tells nothing.
    select
        'CLK20' as clock,
        'draft' as part,
        appeal.person_id,
        appeal.subject_id,
        appeal.order_on as started_on,
        appeal.draft_on as stopped_on
    from appeal
    where
        appeal.order_kind = 'issue'
        and (appeal.draft_on is not null or appeal.complied_on is null)
    union all
    select
        'CLK20' as clock,
        'final' as part,
        appeal.person_id,
        appeal.subject_id,
        appeal.order_on as started_on,
        appeal.complied_on as stopped_on
    from appeal
    where appeal.order_kind = 'issue'
    union all
    select
        'CLK21' as clock,
        case appeal.order_kind when 'amend' then 'contents' else 'school_only' end as part,
        appeal.person_id,
        appeal.subject_id,
        appeal.order_on as started_on,
        appeal.complied_on as stopped_on
    from appeal
    where appeal.order_kind in ('amend', 'name_school')
    union all
    select
        'CLK24' as clock,
        '' as part,
        appeal.person_id,
        appeal.subject_id,
        appeal.recommended_on as started_on,
        appeal.recommendation_replied_on as stopped_on
    from appeal
),

started as (
    select
        event.*,
        false as is_exempt,
        null::text as exemption
    from event
    where event.started_on <= {{ as_of() }}
),

due as (
    {{ with_due_dates('started') }}
)

select distinct on (due.clock, due.subject_id, case when due.clock <> 'CLK16' then due.part end)
    due.clock,
    due.part,
    due.person_id,
    due.subject_id,
    due.started_on,
    due.due_on,
    due.stopped_on,
    due.is_exempt,
    due.exemption
from due
order by
    due.clock asc,
    due.subject_id asc,
    case when due.clock <> 'CLK16' then due.part end asc,
    due.due_on desc,
    due.part asc
