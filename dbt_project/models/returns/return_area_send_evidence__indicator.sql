-- What stands beside the figures of an indicator under each failing that it evidences: words and published figures, of no child.
with latest as (
    select distinct on (benchmark.measure, benchmark.geography_type)
        benchmark.measure,
        benchmark.geography_type,
        benchmark.value,
        benchmark.period_to_on,
        benchmark.source
    from {{ ref('benchmarks') }} as benchmark
    where
        benchmark.geography_type in ('region', 'country')
        and benchmark.value is not null
        and benchmark.period_to_on <= {{ as_of() }}
    order by
        benchmark.measure asc,
        benchmark.geography_type asc,
        benchmark.period_to_on desc
),

decided as (
    select
        decision.measure,
        array_agg(decision.from_on order by decision.from_on) as baselines_from_on
    from {{ ref('spc_rebaselines') }} as decision
    where decision.decided_on <= {{ as_of() }}
    group by decision.measure
)

select
    '{{ var("partnership") }}'::text as partnership,
    failing.failing_code,
    failing.failing,
    measure.measure,
    measure.indicator_code,
    indicator.name as indicator_name,
    measure.name as measure_name,
    indicator.definition,
    indicator.numerator as numerator_is,
    indicator.denominator as denominator_is,
    indicator.leaves_out,
    measure.statistic,
    measure.unit,
    measure.better,
    measure.headline_period,
    target.target,
    target.source as target_source,
    region.value as region_value,
    country.value as country_value,
    country.period_to_on as benchmark_to_on,
    country.source as benchmark_source,
    coalesce(decided.baselines_from_on, array[]::date[]) as baselines_from_on
from {{ ref('indicator_measures') }} as measure
inner join {{ ref('indicators') }} as indicator
    on measure.indicator_code = indicator.indicator_code
cross join lateral string_to_table(indicator.failing_codes, ';') as evidenced (failing_code)
inner join {{ ref('inspection_failings') }} as failing
    on evidenced.failing_code = failing.failing_code
left join {{ ref('indicator_targets') }} as target
    on
        measure.measure = target.measure
        and {{ as_of() }} between target.in_force_from_on and coalesce(target.in_force_to_on, {{ as_of() }})
left join latest as region
    on
        measure.measure = region.measure
        and region.geography_type = 'region'
left join latest as country
    on
        measure.measure = country.measure
        and country.geography_type = 'country'
left join decided
    on measure.measure = decided.measure
order by
    failing.failing_code,
    measure.measure
