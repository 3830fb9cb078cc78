-- Every active-plan record of a person, with whether it belongs to the request of the plan in force.
select
    person.person_id,
    active_plan.sen2_active_plan_id,
    active_plan.last_reviewed_on,
    person.reference_on,
    coalesce(plan.person_id is not null, false) as is_of_plan_in_force,
    active_plan._delivery_id,
    active_plan._row_number
from {{ ref('stg_sen2__active_plan') }} as active_plan
inner join {{ ref('stg_sen2__request') }} as request
    on
        active_plan._delivery_id = request._delivery_id
        and active_plan.sen2_request_id = request.sen2_request_id
inner join {{ ref('stg_sen2__person') }} as person
    on
        request._delivery_id = person._delivery_id
        and request.sen2_person_id = person.sen2_person_id
left join {{ ref('int_plan__active') }} as plan
    on
        active_plan._delivery_id = plan._delivery_id
        and active_plan.sen2_request_id = plan.sen2_request_id
        and person.person_id = plan.person_id
