{#- The families of measures: each has its cases in a model of its own. -#}
{% macro indicator_families() -%}
    {{ return(['care', 'casework', 'disputes', 'governance', 'health', 'placement', 'quality', 'schools']) }}
{%- endmacro %}

{#- The groups of a child that every measure is broken down by. -#}
{% macro child_groups() -%}
    {{ return(['sex', 'ethnicity_group', 'primary_need', 'phase', 'is_looked_after', 'placement_type']) }}
{%- endmacro %}

{#- The sets of `group by`: the whole, each provider, and each group of a child. With `of_child`, whether the case is about a child. -#}
{% macro breakdown_sets(case, of_child=none) -%}
    grouping sets (
            (),
            ({{ case }}.provider){% for group in child_groups() %},
            ({% if of_child %}{{ of_child }}, {% endif %}{{ case }}.{{ group }}){% endfor %}

        )
{%- endmacro %}

{#- Which breakdown a grouped row is of. -#}
{% macro breakdown(case) -%}
    case
            {%- for group in child_groups() + ['provider'] %}
            when grouping({{ case }}.{{ group }}) = 0 then '{{ group }}'
            {%- endfor %}
            else 'total'
        end
{%- endmacro %}

{#- Its value; null of a case without a provider, which has no row of its own. -#}
{% macro breakdown_value(case) -%}
    case
            {%- for group in child_groups() %}
            when grouping({{ case }}.{{ group }}) = 0 then coalesce({{ case }}.{{ group }}::text, 'not recorded')
            {%- endfor %}
            when grouping({{ case }}.provider) = 0 then {{ case }}.provider
            else 'total'
        end
{%- endmacro %}

{#- A percentile between two cases lies in proportion between them. Of whole units a median has halves at most and a ninetieth percentile tenths, so that a tenth is exact. -#}
{% macro exact_percentile(share, units) -%}
    round((percentile_cont({{ share }}) within group (order by {{ units }}::double precision))::numeric, 1)
{%- endmacro %}

{#- A breakdown is shown for each district in years and in the latest period of each kind; in earlier months and quarters the whole of a district alone. -#}
{% macro is_shown_by_district(breakdown, is_headline, period_kind) -%}
    ({{ breakdown }} = 'total' or ({{ breakdown }} <> 'provider' and ({{ is_headline }} or {{ period_kind }} = 'calendar_year')))
{%- endmacro %}

{#- Months since the year 0, so that a straight line through months has steps of one. -#}
{% macro month_number(day) -%}
    (12 * extract(year from {{ day }}) + extract(month from {{ day }}))::integer
{%- endmacro %}

{#- Of each measure the latest figures published by the reporting date, of the region and of England for the same period. -#}
{% macro latest_benchmark() -%}
    select distinct on (benchmark.measure)
        benchmark.measure,
        benchmark.period_to_on as benchmark_to_on,
        max(benchmark.value) filter (where benchmark.geography_type = 'region') as region_value,
        max(benchmark.value) filter (where benchmark.geography_type = 'country') as country_value,
        min(benchmark.source) as benchmark_source
    from {{ ref('benchmarks') }} as benchmark
    where
        benchmark.geography_type in ('region', 'country')
        and benchmark.value is not null
        and benchmark.period_to_on <= {{ as_of() }}
    group by benchmark.measure, benchmark.period_to_on
    order by
        benchmark.measure asc,
        count(*) filter (where benchmark.geography_type = 'country') desc,
        benchmark.period_to_on desc
{%- endmacro %}

{#- Whether a value is as good as its target. -#}
{% macro is_reached(value, target, better) -%}
    case {{ better }} when 'higher' then {{ value }} >= {{ target }} when 'lower' then {{ value }} <= {{ target }} end
{%- endmacro %}

{#-
    The measures of the families of `kept`, whose cases, and all that tells of them, are what they were: an incremental build takes their
    rows from what readers see. A measure is of one family alone.
-#}
{% macro measures_of(kept) -%}
    (
        {%- for family in kept %}
            select kept_{{ family }}.measure from {{ ref('int_indicator__' ~ family) }} as kept_{{ family }}
            group by kept_{{ family }}.measure
            {%- if not loop.last %} union all{% endif %}
        {%- endfor %}
    )
{%- endmacro %}

{#- The table of this model that readers see. -#}
{% macro live() -%}
    {{ this.schema | replace('candidate_', '') }}.{{ this.name }}
{%- endmacro %}
