-- Each check takes its two numbers along different ways, so that a child who is lost on one of them is seen.
with list_1 as (
    select listed.person_id
    from {{ ref('return_annex_a__list_1') }} as listed
),

list_2 as (
    select listed.person_id
    from {{ ref('return_annex_a__list_2') }} as listed
),

active_plan as (
    select
        plan.person_id,
        coalesce(plan.reference_on = max(plan.reference_on) over (), false) as is_in_latest
    from {{ ref('int_plan__reviewed') }} as plan
),

sen2_plan as (
    select
        active_plan.person_id,
        bool_or(active_plan.is_in_latest) as is_in_latest
    from active_plan
    where active_plan.person_id is not null
    group by active_plan.person_id
),

support as (
    select distinct pupil.person_id
    from {{ ref('stg_school_census__pupil') }} as pupil
    inner join {{ ref('int_census__dated') }} as census
        on pupil._delivery_id = census._delivery_id
    where
        census.is_latest
        and pupil.sen_provision = 'K'
),

health_provision as (
    select distinct request.person_id
    from {{ ref('stg_ehc_casework__plan') }} as plan
    inner join {{ ref('stg_ehc_casework__case') }} as request
        on plan.case_id = request.case_id
    where
        plan.has_section_g
        and {{ is_open('plan.final_on', 'least(plan.replaced_on, plan.ceased_on)', as_of()) }}
),

referred as (
    select distinct referral.person_id
    from {{ ref('int_health_referral') }} as referral
    where referral.ended_on is null
),

at_home as (
    select
        register.person_id,
        'register' as place
    from {{ ref('int_home_education__registered') }} as register
    union all
    select
        placement.person_id,
        'sen2' as place
    from {{ ref('int_placement__current') }} as placement
    where placement.placement_type = 'home_education'
),

home as (
    select
        at_home.person_id,
        count(distinct at_home.place) as places
    from at_home
    group by at_home.person_id
),

sen2_need as (
    select distinct on (plan.person_id)
        plan.person_id,
        coalesce(code.need, 'not recorded') as need
    from {{ ref('int_plan__reviewed') }} as plan
    inner join {{ ref('stg_sen2__need') }} as need
        on
            plan._delivery_id = need._delivery_id
            and plan.sen2_active_plan_id = need.sen2_active_plan_id
            and need.need_rank = 1
    left join {{ ref('need_codes') }} as code
        on need.need_source = code.need_source
    where plan.is_of_plan_in_force
    order by
        plan.person_id asc,
        plan.reference_on desc nulls last,
        need._delivery_id asc,
        need._row_number asc
),

sent_need as (
    select
        sen2_need.need,
        count(*) as children
    from sen2_need
    group by sen2_need.need
),

listed_need as (
    select
        wording.code as need,
        count(*) as children
    from {{ ref('return_annex_a__list_1') }} as listed
    inner join {{ source('layout', 'annex_a_layout') }} as wording
        on
            listed.sen_primary_need = wording.wording
            and wording.list_name = 'List_1'
            and wording.column_name = 'sen_primary_need'
    group by wording.code
),

last_release as (
    select
        result.node,
        result.rows_affected
    from {{ source('audit', 'model_result') }} as result
    inner join {{ source('audit', 'live') }} as live
        on
            result.run_id = live.run_id
            and live.partnership = '{{ var("partnership") }}'
    where
        result.run_id <> '{{ var("run_id") }}'
        and result.resource_type = 'model'
),

this_release as (
    select
        'return_annex_a__list_1' as node,
        count(*) as found
    from list_1
    union all
    select
        'return_annex_a__list_2' as node,
        count(*) as found
    from list_2
    union all
    select
        'dim_child' as node,
        count(*) as found
    from {{ ref('dim_child') }}
    union all
    select
        'fct_indicator_case' as node,
        count(*) as found
    from {{ ref('fct_indicator_case') }}
),

counted as (
    select
        'GT01' as check_code,
        'all' as part,
        count(*) as expected,
        count(sen2_plan.person_id) as found
    from list_1
    left join sen2_plan
        on list_1.person_id = sen2_plan.person_id
    union all
    select
        'GT02' as check_code,
        'all' as part,
        count(*) as expected,
        count(list_1.person_id) as found
    from sen2_plan
    left join list_1
        on sen2_plan.person_id = list_1.person_id
    where sen2_plan.is_in_latest
    union all
    select
        'GT03' as check_code,
        'all' as part,
        count(*) as expected,
        count(support.person_id) as found
    from list_2
    left join support
        on list_2.person_id = support.person_id
    union all
    select
        'GT04' as check_code,
        'all' as part,
        count(*) as expected,
        count(referred.person_id) as found
    from list_1
    inner join health_provision
        on list_1.person_id = health_provision.person_id
    left join referred
        on list_1.person_id = referred.person_id
    union all
    select
        'GT05' as check_code,
        'all' as part,
        count(*) as expected,
        count(*) filter (where home.places = 2) as found
    from list_1
    inner join home
        on list_1.person_id = home.person_id
    union all
    select
        'GT06' as check_code,
        coalesce(sent_need.need, listed_need.need) as part,
        coalesce(sent_need.children, 0) as expected,
        coalesce(listed_need.children, 0) as found
    from sent_need
    full join listed_need
        on sent_need.need = listed_need.need
    union all
    select
        'GT07' as check_code,
        this_release.node as part,
        last_release.rows_affected as expected,
        this_release.found
    from this_release
    left join last_release
        on this_release.node = last_release.node
)

select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    counted.check_code,
    golden.check_name,
    counted.part,
    golden.expected_is,
    golden.found_is,
    counted.expected,
    counted.found,
    counted.found - counted.expected as difference,
    round(100.0 * (counted.found - counted.expected) / nullif(counted.expected, 0), 1) as difference_pct,
    golden.band,
    golden.band_unit,
    case golden.band_unit
        when 'children' then abs(counted.found - counted.expected) <= golden.band
        else 100 * abs(counted.found - counted.expected) <= golden.band * counted.expected
    end as is_met
from counted
inner join {{ ref('golden_thread_checks') }} as golden
    on counted.check_code = golden.check_code
order by
    counted.check_code,
    counted.part
