select
    person.person_id,
    person.date_of_birth_on,
    plan.started_on,
    plan.ceased_on,
    plan.cease_reason,
    plan.work_based,
    plan.has_personal_budget,
    plan.sen2_named_plan_id,
    request.sen2_request_id,
    person.reference_on,
    plan._delivery_id,
    plan._row_number
from {{ ref('stg_sen2__named_plan') }} as plan
inner join {{ ref('stg_sen2__assessment') }} as assessment
    on
        plan._delivery_id = assessment._delivery_id
        and plan.sen2_assessment_id = assessment.sen2_assessment_id
inner join {{ ref('stg_sen2__request') }} as request
    on
        assessment._delivery_id = request._delivery_id
        and assessment.sen2_request_id = request.sen2_request_id
inner join {{ ref('stg_sen2__person') }} as person
    on
        request._delivery_id = person._delivery_id
        and request.sen2_person_id = person.sen2_person_id
