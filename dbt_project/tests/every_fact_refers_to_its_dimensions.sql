-- What a fact calls a child, setting or district is in its dimension. One query for all: a node for each would cost dbt more than Postgres.
{% set stars = {
    'dim_child': ['child_key', [
        'dim_child_history',
        'fct_clock',
        'fct_dynamic_support',
        'fct_health_advice',
        'fct_health_contact',
        'fct_health_diagnosis',
        'fct_health_notification',
        'fct_health_referral_spell',
        'fct_health_wait',
        'fct_indicator_case',
    ]],
    'dim_establishment': ['establishment_urn', [
        'dim_child_history',
    ]],
    'dim_district': ['district_code', [
        'fct_health_contact',
        'fct_health_diagnosis',
        'fct_health_referral_spell',
        'fct_health_wait',
        'fct_indicator_case',
    ]],
    'dim_measure': ['measure', [
        'fct_indicator_case',
        'mart_benchmark',
        'mart_improvement_trajectory',
        'mart_indicator',
        'mart_indicator_spc',
    ]],
} %}
{% for dimension, (key, facts) in stars.items() %}
    {% set outer = loop %}
    {% for fact in facts %}
        select
            '{{ fact }}.{{ key }}' as reference,
            count(*) as missing
        from {{ ref(fact) }} as fact
        left join {{ ref(dimension) }} as dimension
            on fact.{{ key }} = dimension.{{ key }}
        where
            fact.{{ key }} is not null
            and dimension.{{ key }} is null
        having count(*) > 0
        {% if not (outer.last and loop.last) %}union all{% endif %}
    {% endfor %}
{% endfor %}
