{{ config(indexes=[{'columns': ['measure'], 'type': 'brin'}]) }}
{% set kept = var('kept_families')[this.name] or [] %}
with counted as (
    {% for family in indicator_families() if family not in kept %}
        select
            {{ family }}.measure,
            {{ family }}.period_kind,
            {{ family }}.counted_on,
            {{ family }}.person_id,
            {{ family }}.numerator,
            {{ family }}.denominator,
            {{ family }}.amount,
            {{ family }}.provider,
            {{ family }}.placement_type
        from {{ ref('int_indicator__' ~ family) }} as {{ family }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    counted.measure,
    measure.indicator_code,
    counted.period_kind,
    counted.counted_on,
    pseudonym.child_key,
    counted.numerator,
    counted.denominator,
    counted.amount,
    counted.provider,
    child.sex,
    child.ethnicity_group,
    child.primary_need,
    child.phase,
    child.district_code,
    child.is_looked_after,
    coalesce(counted.placement_type, child.placement_type) as placement_type
from counted
inner join {{ ref('indicator_measures') }} as measure
    on counted.measure = measure.measure
left join {{ ref('int_child__grouped') }} as child
    on counted.person_id = child.person_id
left join {{ ref('int_child__keyed') }} as pseudonym
    on counted.person_id = pseudonym.person_id
where counted.counted_on <= {{ as_of() }}
{% if kept %}
    union all
    select live.* -- noqa: AM04
    from {{ live() }} as live
    where live.measure in {{ measures_of(kept) }}
{% endif %}
