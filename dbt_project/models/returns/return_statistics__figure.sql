-- Small enough to protect and to read: no period that overlaps others of its measure, which told together would give away the months
-- between; series of the whole, districts and groups for the latest period alone, and no provider, which
-- for many measures is a school. Sums of hours and sessions are of the whole alone: a part of them may be one child's.
with headline as (
    select
        indicator.measure,
        indicator.period_kind,
        indicator.period_to_on
    from {{ ref('mart_indicator') }} as indicator
    where indicator.is_headline
),

child as (
    select
        indicator_case.measure,
        day.period_kind,
        day.period_to_on,
        count(distinct indicator_case.child_key) as people
    from {{ ref('fct_indicator_case') }} as indicator_case
    inner join {{ ref('indicator_measures') }} as measure
        on indicator_case.measure = measure.measure
    inner join {{ ref('int_period_day') }} as day
        on
            measure.headline_period = day.period_kind
            and indicator_case.counted_on = day.day_on
    where measure.counts = 'amounts'
    group by
        indicator_case.measure,
        day.period_kind,
        day.period_to_on
)

select
    indicator.partnership,
    'statistics'::text as return_table,
    indicator.indicator_code,
    indicator.measure,
    measure.statistic,
    measure.per,
    measure.counts,
    indicator.period_kind,
    indicator.period_from_on,
    indicator.period_to_on,
    indicator.geography_type,
    indicator.geography_code,
    indicator.breakdown,
    indicator.breakdown_value,
    child.people,
    indicator.numerator,
    indicator.denominator,
    indicator.value,
    indicator.status
from {{ ref('mart_indicator') }} as indicator
inner join {{ ref('indicator_measures') }} as measure
    on indicator.measure = measure.measure
left join headline
    on
        indicator.measure = headline.measure
        and indicator.period_kind = headline.period_kind
        and indicator.period_to_on = headline.period_to_on
left join child
    on
        indicator.measure = child.measure
        and indicator.period_kind = child.period_kind
        and indicator.period_to_on = child.period_to_on
where
    indicator.period_kind not in ('rolling_12_months', 'rolling_3_months', 'term')
    and case
        when indicator.geography_type = 'partnership' and indicator.breakdown = 'total'
            then measure.counts <> 'amounts' or indicator.period_kind = measure.headline_period
        when headline.measure is null or measure.counts = 'amounts' then false
        when indicator.geography_type = 'partnership' then indicator.breakdown <> 'provider'
        else indicator.breakdown = 'total'
    end
order by
    indicator.measure,
    indicator.period_kind,
    indicator.period_to_on,
    indicator.geography_type,
    indicator.geography_code,
    indicator.breakdown,
    indicator.breakdown_value
