select
    '{{ var("partnership") }}'::text as partnership,
    measure.indicator_code,
    benchmark.measure,
    benchmark.geography_type,
    benchmark.geography_code,
    benchmark.geography_name,
    benchmark.period_kind,
    benchmark.period_from_on,
    benchmark.period_to_on,
    benchmark.numerator,
    benchmark.denominator,
    benchmark.value,
    benchmark.status,
    benchmark.is_derived,
    benchmark.source,
    benchmark.release
from {{ ref('benchmarks') }} as benchmark
inner join {{ ref('indicator_measures') }} as measure
    on benchmark.measure = measure.measure
where
    benchmark.geography_type <> 'partnership'
    or benchmark.geography_code = '{{ var("partnership") }}'
order by
    benchmark.measure,
    benchmark.period_to_on,
    benchmark.geography_type,
    benchmark.geography_code
