select
    measure.measure,
    measure.indicator_code,
    indicator.family,
    indicator.name as indicator_name,
    measure.name as measure_name,
    indicator.definition,
    indicator.numerator as numerator_is,
    indicator.denominator as denominator_is,
    indicator.leaves_out,
    measure.statistic,
    measure.per,
    measure.unit,
    measure.better,
    measure.headline_period,
    target.target,
    target.source as target_source,
    indicator.benchmark as benchmark_is,
    indicator.source,
    indicator.failing_codes,
    indicator.confidence
from {{ ref('indicator_measures') }} as measure
inner join {{ ref('indicators') }} as indicator
    on measure.indicator_code = indicator.indicator_code
left join {{ ref('indicator_targets') }} as target
    on
        measure.measure = target.measure
        and {{ as_of() }} between target.in_force_from_on and coalesce(target.in_force_to_on, {{ as_of() }})
order by measure.measure
