-- An entry is as the latest register that has it says. A request is open from its receipt until a plan, or a decision that ends it; one
-- that was withdrawn on a day that nobody noted was never open.
with entry as (
    select distinct on (child.person_id, child.started_on) child.*
    from {{ ref('stg_ehe_register__child') }} as child
    where
        child.person_id is not null
        and child.started_on is not null
    order by
        child.person_id asc,
        child.started_on asc,
        child.reference_on desc nulls last,
        child.ended_on desc nulls first,
        child._delivery_id asc,
        child._row_number asc
),

issued as (
    select
        plan._delivery_id,
        plan.sen2_request_id,
        min(plan.started_on) as issued_on
    from {{ ref('int_plan__named') }} as plan
    group by plan._delivery_id, plan.sen2_request_id
),

request as (
    select distinct on (person.person_id, request.received_on)
        person.person_id,
        request.received_on,
        request.outcome,
        coalesce(
            issued.issued_on,
            assessment.outcome_on,
            case when request.outcome in ('N', 'W') then request.outcome_on end
        ) as over_on
    from {{ ref('stg_sen2__request') }} as request
    inner join {{ ref('stg_sen2__person') }} as person
        on
            request._delivery_id = person._delivery_id
            and request.sen2_person_id = person.sen2_person_id
    left join {{ ref('stg_sen2__assessment') }} as assessment
        on
            request._delivery_id = assessment._delivery_id
            and request.sen2_request_id = assessment.sen2_request_id
    left join issued
        on
            request._delivery_id = issued._delivery_id
            and request.sen2_request_id = issued.sen2_request_id
    where person.person_id in (select entry.person_id from entry)
    order by
        person.person_id asc,
        request.received_on asc,
        person.reference_on desc nulls last,
        request._delivery_id asc,
        request._row_number asc
),

asked as (
    select distinct
        entry.person_id,
        entry.started_on
    from entry
    inner join request
        on entry.person_id = request.person_id
    where
        (request.outcome is distinct from 'W' or request.over_on is not null)
        and {{ is_open('request.received_on', 'request.over_on', 'entry.started_on') }}
)

select
    entry.person_id,
    entry.started_on,
    entry.ended_on,
    case when entry.reason is not null then coalesce(reason.reason, 'other') end as reason,
    coalesce(reason.is_known, entry.reason is not null) as has_known_reason,
    coalesce(reason.is_dissatisfied, false) as is_dissatisfied,
    entry.sen_provision,
    asked.person_id is not null as has_open_request
from entry
left join {{ ref('home_education_reasons') }} as reason
    on entry.reason = reason.reason
left join asked
    on
        entry.person_id = asked.person_id
        and entry.started_on = asked.started_on
