select
    plan.childprotectionplantableid as child_protection_plan_id,
    plan.cindetailstableid as cin_episode_id,
    plan.cppstartdate as started_on,
    plan.cppenddate as ended_on,
    plan._delivery_id,
    plan._row_number
from {{ source('raw_council', 'cin_census__childprotectionplan') }} as plan
where plan._delivery_id in {{ manifest() }}
