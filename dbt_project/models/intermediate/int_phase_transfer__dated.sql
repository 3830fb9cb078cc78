-- The return knows transfers by the day that the amended plan is due, which is one of two days of the year; the casework knows those
-- between settings after 16 by the day of the move. A plan that had ceased by the day it was due is not owed. The return is one of each
-- January: of an amended plan that falls due after it, it cannot tell that it was not sent, so once that day is past nobody knows.
with returned as (
    select distinct on (person.person_id, plan.transfer_due_on)
        person.person_id,
        plan.transfer_due_on,
        plan.transfer_final_on,
        person.reference_on
    from {{ ref('stg_sen2__active_plan') }} as plan
    inner join {{ ref('stg_sen2__request') }} as request
        on
            plan._delivery_id = request._delivery_id
            and plan.sen2_request_id = request.sen2_request_id
    inner join {{ ref('stg_sen2__person') }} as person
        on
            request._delivery_id = person._delivery_id
            and request.sen2_person_id = person.sen2_person_id
    where plan.transfer_due_on is not null
    order by
        person.person_id asc,
        plan.transfer_due_on asc,
        person.reference_on desc nulls last,
        plan._delivery_id asc,
        plan._row_number asc
),

ended as (
    select distinct on (plan.case_id)
        plan.case_id,
        plan.ceased_on
    from {{ ref('stg_ehc_casework__plan') }} as plan
    order by plan.case_id asc, plan.final_on desc nulls last, plan.draft_on desc nulls last, plan.plan_id asc
),

latest as (
    select max(plan.reference_on) as reference_on
    from {{ ref('stg_ehc_casework__plan') }} as plan
),

moved as (
    select distinct on (plan.case_id, plan.transfer_on)
        ehc_case.person_id,
        plan.case_id,
        plan.transfer_on,
        {{ clock_due_on('plan.transfer_on', 'parameter', 'null::date') }} as transfer_due_on,
        plan.final_on,
        ended.ceased_on,
        plan.reference_on,
        coalesce(plan.reference_on = latest.reference_on, false) as is_in_latest_extract
    from {{ ref('stg_ehc_casework__plan') }} as plan
    cross join latest
    inner join ended
        on plan.case_id = ended.case_id
    inner join {{ ref('clock_parameters') }} as parameter
        on
            parameter.clock = 'CLK15'
            and plan.transfer_on between parameter.in_force_from_on and coalesce(parameter.in_force_to_on, plan.transfer_on)
    left join {{ ref('stg_ehc_casework__case') }} as ehc_case
        on plan.case_id = ehc_case.case_id
    where plan.transfer_kind = 'between_post16'
    order by plan.case_id asc, plan.transfer_on asc, plan.final_on asc nulls last, plan.plan_id asc
)

select
    parameter.clock,
    returned.person_id,
    concat_ws('/', 'sen2', returned.person_id, returned.transfer_due_on) as transfer_key,
    date_trunc('year', returned.transfer_due_on)::date as started_on,
    returned.transfer_due_on as due_on,
    returned.transfer_final_on as final_on,
    returned.reference_on,
    returned.transfer_due_on >= {{ as_of() }} as is_taken_for_open
from returned
left join {{ ref('clock_parameters') }} as parameter
    on
        parameter.clock in ('CLK13', 'CLK14')
        and to_char(returned.transfer_due_on, 'MM-DD') = parameter.limit_month_day
        and date_trunc('year', returned.transfer_due_on)::date between parameter.in_force_from_on
        and coalesce(parameter.in_force_to_on, returned.transfer_due_on)
where
    exists (
        select
        from {{ ref('int_plan__in_force') }} as plan
        where
            returned.person_id = plan.person_id
            and {{ is_open('plan.started_on', 'plan.ceased_on', 'returned.transfer_due_on') }}
    )
union all
select
    'CLK15' as clock,
    moved.person_id,
    concat_ws('/', 'casework', moved.case_id, moved.transfer_on) as transfer_key,
    moved.transfer_on as started_on,
    moved.transfer_due_on as due_on,
    moved.final_on,
    moved.reference_on,
    moved.is_in_latest_extract as is_taken_for_open
from moved
where coalesce(moved.ceased_on > moved.transfer_due_on, true)
