-- Which rows the SEN2 return holds, under which row, and in which order: those of the newest delivery as they lie in each other, numbered
-- as our own reader would number the file. Rows of persons who were found to be one child are one person, in the place of the first.
with newest as (
    select person._delivery_id
    from {{ ref('stg_sen2__person') }} as person
    order by person.reference_on desc nulls last, person._delivery_id asc
    limit 1
),

placed as (
    select
        person.*,
        min(person._row_number) over (partition by person.person_id) as first_row
    from {{ ref('stg_sen2__person') }} as person
    inner join newest
        on person._delivery_id = newest._delivery_id
),

person as (
    select
        placed._delivery_id,
        placed._row_number,
        placed.person_id,
        placed.sen2_person_id,
        1 as parent_number,
        dense_rank() over (order by placed.first_row) as number
    from placed
),

request as (
    select
        request._delivery_id,
        request._row_number,
        person.person_id,
        request.sen2_request_id,
        person.number as parent_number,
        row_number() over (order by person.number, request._row_number) as number
    from {{ ref('stg_sen2__request') }} as request
    inner join person
        on
            request._delivery_id = person._delivery_id
            and request.sen2_person_id = person.sen2_person_id
),

assessment as (
    select
        assessment._delivery_id,
        assessment._row_number,
        request.person_id,
        assessment.sen2_assessment_id,
        request.number as parent_number,
        row_number() over (order by request.number, assessment._row_number) as number
    from {{ ref('stg_sen2__assessment') }} as assessment
    inner join request
        on
            assessment._delivery_id = request._delivery_id
            and assessment.sen2_request_id = request.sen2_request_id
),

named_plan as (
    select
        named_plan._delivery_id,
        named_plan._row_number,
        assessment.person_id,
        named_plan.sen2_named_plan_id,
        assessment.number as parent_number,
        row_number() over (order by assessment.number, named_plan._row_number) as number
    from {{ ref('stg_sen2__named_plan') }} as named_plan
    inner join assessment
        on
            named_plan._delivery_id = assessment._delivery_id
            and named_plan.sen2_assessment_id = assessment.sen2_assessment_id
),

plan_detail as (
    select
        plan_detail._delivery_id,
        plan_detail._row_number,
        named_plan.person_id,
        named_plan.number as parent_number,
        row_number() over (order by named_plan.number, plan_detail._row_number) as number
    from {{ ref('stg_sen2__plan_detail') }} as plan_detail
    inner join named_plan
        on
            plan_detail._delivery_id = named_plan._delivery_id
            and plan_detail.sen2_named_plan_id = named_plan.sen2_named_plan_id
),

active_plan as (
    select
        active_plan._delivery_id,
        active_plan._row_number,
        request.person_id,
        active_plan.sen2_active_plan_id,
        request.number as parent_number,
        row_number() over (order by request.number, active_plan._row_number) as number
    from {{ ref('stg_sen2__active_plan') }} as active_plan
    inner join request
        on
            active_plan._delivery_id = request._delivery_id
            and active_plan.sen2_request_id = request.sen2_request_id
),

placement_detail as (
    select
        placement_detail._delivery_id,
        placement_detail._row_number,
        active_plan.person_id,
        active_plan.number as parent_number,
        row_number() over (order by active_plan.number, placement_detail._row_number) as number
    from {{ ref('stg_sen2__placement') }} as placement_detail
    inner join active_plan
        on
            placement_detail._delivery_id = active_plan._delivery_id
            and placement_detail.sen2_active_plan_id = active_plan.sen2_active_plan_id
),

sen_need as (
    select
        sen_need._delivery_id,
        sen_need._row_number,
        active_plan.person_id,
        active_plan.number as parent_number,
        row_number() over (order by active_plan.number, sen_need._row_number) as number
    from {{ ref('stg_sen2__need') }} as sen_need
    inner join active_plan
        on
            sen_need._delivery_id = active_plan._delivery_id
            and sen_need.sen2_active_plan_id = active_plan.sen2_active_plan_id
)

select
    'person' as record,
    person._delivery_id,
    person._row_number,
    person.person_id,
    person.parent_number::integer as parent_number,
    person.number::integer as number
from person
union all
select
    'request' as record,
    request._delivery_id,
    request._row_number,
    request.person_id,
    request.parent_number::integer as parent_number,
    request.number::integer as number
from request
union all
select
    'assessment' as record,
    assessment._delivery_id,
    assessment._row_number,
    assessment.person_id,
    assessment.parent_number::integer as parent_number,
    assessment.number::integer as number
from assessment
union all
select
    'named_plan' as record,
    named_plan._delivery_id,
    named_plan._row_number,
    named_plan.person_id,
    named_plan.parent_number::integer as parent_number,
    named_plan.number::integer as number
from named_plan
union all
select
    'plan_detail' as record,
    plan_detail._delivery_id,
    plan_detail._row_number,
    plan_detail.person_id,
    plan_detail.parent_number::integer as parent_number,
    plan_detail.number::integer as number
from plan_detail
union all
select
    'active_plan' as record,
    active_plan._delivery_id,
    active_plan._row_number,
    active_plan.person_id,
    active_plan.parent_number::integer as parent_number,
    active_plan.number::integer as number
from active_plan
union all
select
    'placement_detail' as record,
    placement_detail._delivery_id,
    placement_detail._row_number,
    placement_detail.person_id,
    placement_detail.parent_number::integer as parent_number,
    placement_detail.number::integer as number
from placement_detail
union all
select
    'sen_need' as record,
    sen_need._delivery_id,
    sen_need._row_number,
    sen_need.person_id,
    sen_need.parent_number::integer as parent_number,
    sen_need.number::integer as number
from sen_need
