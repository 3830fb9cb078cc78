-- What stands beside the figures of an indicator under each failing that it evidences: words and published figures, of no child.
with published as (
    {{ latest_benchmark() }}
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
    published.region_value,
    published.country_value,
    published.benchmark_to_on,
    published.benchmark_source,
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
left join published
    on measure.measure = published.measure
left join decided
    on measure.measure = decided.measure
order by
    failing.failing_code,
    measure.measure
