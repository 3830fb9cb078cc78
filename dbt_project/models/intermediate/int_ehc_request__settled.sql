-- A request is in every return of its time under another number: person, day received and their order say that it is the same. What
-- was decided stands until a later return decides otherwise, because a return calls what an earlier one detailed historical (H).
with transferred as (
    select distinct
        plan._delivery_id,
        plan.sen2_request_id
    from {{ ref('stg_sen2__active_plan') }} as plan
    where plan.transferred_from is not null
),

returned as (
    select
        person.person_id,
        request.received_on,
        request.request_source,
        request.outcome as request_outcome,
        request.outcome_on as request_outcome_on,
        request.exported_to,
        assessment.sen2_assessment_id is not null as is_assessed,
        assessment.outcome as assessment_outcome,
        assessment.outcome_on as assessment_outcome_on,
        coalesce(assessment.has_exception, false) as has_exception,
        transferred.sen2_request_id is not null as is_transferred_in,
        person.reference_on,
        request._delivery_id,
        row_number() over (
            partition by person.person_id, request.received_on, request._delivery_id
            order by request._row_number asc, assessment._row_number asc
        ) as request_number
    from {{ ref('stg_sen2__request') }} as request
    inner join {{ ref('stg_sen2__person') }} as person
        on
            request._delivery_id = person._delivery_id
            and request.sen2_person_id = person.sen2_person_id
    left join {{ ref('stg_sen2__assessment') }} as assessment
        on
            request._delivery_id = assessment._delivery_id
            and request.sen2_request_id = assessment.sen2_request_id
    left join transferred
        on
            request._delivery_id = transferred._delivery_id
            and request.sen2_request_id = transferred.sen2_request_id
),

named as (
    select
        returned.*,
        concat_ws('/', returned.person_id, returned.received_on, returned.request_number) as request_key
    from returned
),

request as (
    select distinct on (named.request_key) named.*
    from named
    order by
        named.request_key asc,
        (named.request_outcome in ('Y', 'N', 'W')) desc nulls last,
        named.reference_on desc nulls last,
        named._delivery_id asc
),

assessment as (
    select distinct on (named.request_key) named.*
    from named
    where named.is_assessed
    order by
        named.request_key asc,
        (named.assessment_outcome in ('Y', 'N', 'W')) desc nulls last,
        named.reference_on desc nulls last,
        named._delivery_id asc
),

told as (
    select
        named.request_key,
        bool_or(named.is_transferred_in) as is_transferred_in
    from named
    group by named.request_key
)

select
    request.request_key,
    request.person_id,
    (
        row_number() over (
            partition by request.person_id
            order by request.received_on asc nulls last, request.request_number asc
        )
    )::integer as request_number,
    request.received_on,
    request.request_source,
    request.request_outcome,
    request.request_outcome_on,
    request.exported_to is not null as is_exported,
    told.is_transferred_in,
    assessment.request_key is not null as is_assessed,
    assessment.assessment_outcome,
    assessment.assessment_outcome_on,
    coalesce(assessment.has_exception, false) as has_exception
from request
inner join told
    on request.request_key = told.request_key
left join assessment
    on request.request_key = assessment.request_key
