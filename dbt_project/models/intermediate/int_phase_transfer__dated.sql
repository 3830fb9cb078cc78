-- The return knows transfers by the day that the amended plan is due, which is one of two days of the year; the casework knows those
-- between settings after 16 by the day of the move. A plan that had ceased by the day it was due is not owed.
with returned as (
    select distinct on (person.person_id, plan.transfer_due_on)
        person.person_id,
        plan.transfer_due_on,
        plan.transfer_final_on
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

moved as (
    select distinct on (plan.case_id, plan.transfer_on)
        ehc_case.person_id,
        plan.case_id,
        plan.transfer_on,
        plan.final_on
    from {{ ref('stg_ehc_casework__plan') }} as plan
    left join {{ ref('stg_ehc_casework__case') }} as ehc_case
        on plan.case_id = ehc_case.case_id
    where
        plan.transfer_kind = 'between_post16'
        and plan.transfer_on is not null
    order by plan.case_id asc, plan.transfer_on asc, plan.final_on asc nulls last, plan.plan_id asc
)

select
    parameter.clock,
    returned.person_id,
    concat_ws('/', 'sen2', returned.person_id, returned.transfer_due_on) as transfer_key,
    date_trunc('year', returned.transfer_due_on)::date as started_on,
    returned.transfer_due_on as due_on,
    returned.transfer_final_on as final_on
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
    null::date as due_on,
    moved.final_on
from moved
