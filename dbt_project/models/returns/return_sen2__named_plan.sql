select
    '{{ var("partnership") }}'::text as partnership,
    returned.person_id,
    returned.number as namedplantableid,
    returned.parent_number as assessmenttableid,
    named_plan.started_on as startdate,
    named_plan.residential as planres,
    named_plan.work_based as planwbp,
    named_plan.has_personal_budget_as_sent as pb,
    named_plan.has_organised_arrangements as oa,
    named_plan.direct_payments as dp,
    named_plan.ceased_on as ceasedate,
    named_plan.cease_reason as ceasereason
from {{ ref('int_sen2__returned') }} as returned
inner join {{ ref('stg_sen2__named_plan') }} as named_plan
    on
        returned._delivery_id = named_plan._delivery_id
        and returned._row_number = named_plan._row_number
where returned.record = 'named_plan'
order by returned.number
