-- With room for its groups in memory a county's cases are hashed once; without, they are sorted once for every breakdown.
{{ config(
    sql_header="set local work_mem = '1GB';",
    indexes=[{'columns': ['measure', 'period_kind'], 'type': 'btree'}]
) }}
{% set kept = var('kept_families')[this.name] or [] %}
{% for family in indicator_families() %}
-- depends_on: {{ ref('int_indicator__' ~ family) }}
{% endfor %}
with measure_period as (
    select
        measure.measure,
        measure.headline_period,
        kind.period_kind
    from {{ ref('indicator_measures') }} as measure
    cross join lateral string_to_table(measure.periods, ' ') as kind (period_kind)
    {% if kept %}where measure.measure not in {{ measures_of(kept) }}{% endif %}
),

-- Whole months make up some kinds of period, so a measure of these kinds alone is summed by month first. Days taken for weeks are taken
-- back, so that only the last division rounds.
counted as (
    select
        indicator_case.*,
        measure.statistic,
        indicator_case.child_key is not null as is_of_child,
        case
            when
                string_to_array(measure.periods, ' ')
                <@ array['calendar_year', 'quarter', 'month', 'rolling_12_months', 'rolling_3_months']
                then date_trunc('month', indicator_case.counted_on)::date
            else indicator_case.counted_on
        end as bucket_on,
        case when measure.unit = 'weeks' then round(7 * indicator_case.amount, 3) else indicator_case.amount end as units,
        case when measure.unit = 'weeks' then 7 else 1 end as units_per_amount
    from {{ ref('fct_indicator_case') }} as indicator_case
    inner join {{ ref('indicator_measures') }} as measure
        on indicator_case.measure = measure.measure
    {% if kept %}where measure.measure not in {{ measures_of(kept) }}{% endif %}
),

bucketed as (
    select
        counted.measure,
        counted.period_kind,
        counted.bucket_on,
        counted.is_of_child,
        counted.district_code,
        {{ breakdown('counted') }} as breakdown,
        {{ breakdown_value('counted') }} as breakdown_value,
        sum(counted.numerator) as numerator,
        sum(counted.denominator) as denominator
    from counted
    where counted.statistic in ('share', 'rate', 'count', 'growth')
    group by
        counted.measure,
        counted.period_kind,
        counted.bucket_on,
        counted.is_of_child,
        counted.district_code,
        {{ breakdown_sets('counted') }}
),

summed as (
    select
        bucketed.measure,
        day.period_kind,
        day.period_from_on,
        day.period_to_on,
        grouping(bucketed.district_code) = 0 as is_of_district,
        bucketed.district_code,
        bucketed.breakdown,
        bucketed.breakdown_value,
        sum(bucketed.numerator) as numerator,
        sum(bucketed.denominator) as denominator,
        null::numeric as amount
    from bucketed
    inner join measure_period
        on
            bucketed.measure = measure_period.measure
            and coalesce(bucketed.period_kind, measure_period.period_kind) = measure_period.period_kind
    inner join {{ ref('int_period_day') }} as day
        on
            measure_period.period_kind = day.period_kind
            and bucketed.bucket_on = day.day_on
    where
        bucketed.breakdown_value is not null
        and (bucketed.is_of_child or bucketed.breakdown in ('total', 'provider'))
    group by
        bucketed.measure,
        day.period_kind,
        day.period_from_on,
        day.period_to_on,
        bucketed.breakdown,
        bucketed.breakdown_value,
        day.is_headline,
        grouping sets ((), (bucketed.is_of_child, bucketed.district_code))
    having
        grouping(bucketed.is_of_child) = 1
        or (bucketed.is_of_child and {{ is_shown_by_district('bucketed.breakdown', 'day.is_headline', 'day.period_kind') }})
),

placed as (
    select
        counted.*,
        day.period_kind as placed_kind,
        day.period_from_on,
        day.period_to_on,
        day.is_headline
    from counted
    inner join measure_period
        on
            counted.measure = measure_period.measure
            and coalesce(counted.period_kind, measure_period.period_kind) = measure_period.period_kind
    inner join {{ ref('int_period_day') }} as day
        on
            measure_period.period_kind = day.period_kind
            and counted.counted_on = day.day_on
    where
        counted.statistic in ('mean', 'median', 'p90', 'ratio')
        and counted.amount is not null
),

averaged as (
    select
        placed.measure,
        placed.placed_kind as period_kind,
        placed.period_from_on,
        placed.period_to_on,
        grouping(placed.district_code) = 0 as is_of_district,
        placed.district_code,
        {{ breakdown('placed') }} as breakdown,
        {{ breakdown_value('placed') }} as breakdown_value,
        null::numeric as numerator,
        count(*)::numeric as denominator,
        case placed.statistic
            when 'mean' then sum(placed.units) / (count(*) * placed.units_per_amount)
            when 'median' then {{ exact_percentile(0.5, 'placed.units') }} / placed.units_per_amount
            else {{ exact_percentile(0.9, 'placed.units') }} / placed.units_per_amount
        end as amount
    from placed
    where placed.statistic <> 'ratio'
    group by
        placed.measure,
        placed.statistic,
        placed.units_per_amount,
        placed.placed_kind,
        placed.period_from_on,
        placed.period_to_on,
        placed.is_headline,
        grouping sets ((), (placed.is_of_child, placed.district_code)),
        {{ breakdown_sets('placed', 'placed.is_of_child') }}
    having
        (grouping(placed.is_of_child) = 1 or placed.is_of_child)
        and (
            grouping(placed.district_code) = 1
            or {{ is_shown_by_district(breakdown('placed'), 'placed.is_headline', 'placed.placed_kind') }}
        )
),

-- The gap between districts: the longest of their medians over the shortest, of districts with enough cases.
middle as (
    select
        placed.measure,
        placed.placed_kind as period_kind,
        placed.period_from_on,
        placed.period_to_on,
        {{ exact_percentile(0.5, 'placed.units') }} as median
    from placed
    where
        placed.statistic = 'ratio'
        and placed.district_code is not null
    group by
        placed.measure,
        placed.placed_kind,
        placed.period_from_on,
        placed.period_to_on,
        placed.district_code
    having count(*) >= {{ var('fewest_cases_of_a_district') }}
),

gap as (
    select
        middle.measure,
        middle.period_kind,
        middle.period_from_on,
        middle.period_to_on,
        false as is_of_district,
        null::text as district_code,
        'total' as breakdown,
        'total' as breakdown_value,
        max(middle.median) as numerator,
        min(middle.median) as denominator,
        max(middle.median) / min(middle.median) as amount
    from middle
    group by
        middle.measure,
        middle.period_kind,
        middle.period_from_on,
        middle.period_to_on
    having count(*) >= 2 and min(middle.median) > 0
),

known as (
    select * from summed
    union all
    select * from averaged
    where averaged.breakdown_value is not null
    union all
    select * from gap
),

-- A measure is always there for its headline period, be it without a value.
headline as (
    select
        measure_period.measure,
        period.period_kind,
        period.period_from_on,
        period.period_to_on,
        'total' as breakdown
    from measure_period
    inner join {{ ref('int_period') }} as period
        on
            measure_period.headline_period = measure_period.period_kind
            and measure_period.period_kind = period.period_kind
            and period.is_headline
),

complete as (
    select
        known.*,
        headline.measure is not null as is_headline
    from known
    left join headline
        on
            known.measure = headline.measure
            and known.period_kind = headline.period_kind
            and known.period_to_on = headline.period_to_on
            and known.breakdown = headline.breakdown
            and not known.is_of_district
    union all
    select
        headline.measure,
        headline.period_kind,
        headline.period_from_on,
        headline.period_to_on,
        false as is_of_district,
        null::text as district_code,
        headline.breakdown,
        headline.breakdown as breakdown_value,
        null::numeric as numerator,
        null::numeric as denominator,
        null::numeric as amount,
        true as is_headline
    from headline
    left join known
        on
            headline.measure = known.measure
            and headline.period_kind = known.period_kind
            and headline.period_to_on = known.period_to_on
            and headline.breakdown = known.breakdown
            and not known.is_of_district
    where known.measure is null
),

-- The latest that is published, which is seldom of the period itself.
published as (
    {{ latest_benchmark() }}
),

valued as (
    select
        complete.*,
        measure.indicator_code,
        target.target,
        published.region_value,
        published.country_value,
        published.benchmark_to_on,
        case measure.statistic
            when 'count' then complete.numerator
            when 'growth' then round(100 * (complete.numerator - complete.denominator) / nullif(complete.denominator, 0), 1)
            when 'share' then round(measure.per * complete.numerator / nullif(complete.denominator, 0), 1)
            when 'rate' then round(measure.per * complete.numerator / nullif(complete.denominator, 0), 1)
            else round(complete.amount, 1)
        end as value
    from complete
    inner join {{ ref('indicator_measures') }} as measure
        on complete.measure = measure.measure
    left join {{ ref('indicator_targets') }} as target
        on
            complete.measure = target.measure
            and {{ as_of() }} between target.in_force_from_on and coalesce(target.in_force_to_on, {{ as_of() }})
    left join published
        on complete.measure = published.measure
)

select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    valued.indicator_code,
    valued.measure,
    valued.period_kind,
    valued.period_from_on,
    valued.period_to_on,
    valued.is_headline,
    case when valued.is_of_district then 'district' else 'partnership' end as geography_type,
    case
        when valued.is_of_district then coalesce(valued.district_code, 'not recorded')
        else '{{ var("partnership") }}'
    end as geography_code,
    valued.breakdown,
    valued.breakdown_value,
    valued.numerator,
    valued.denominator,
    valued.value,
    case when valued.value is null then 'x' else 'ok' end as status,
    valued.target,
    valued.region_value,
    valued.country_value,
    valued.benchmark_to_on
from valued
{% if kept %}
    union all
    select live.* -- noqa: AM04
    from {{ live() }} as live
    where live.measure in {{ measures_of(kept) }}
{% endif %}
order by
    measure,
    period_kind,
    period_to_on,
    geography_type,
    geography_code,
    breakdown,
    breakdown_value
