{#- Days of a threshold of health waits that is in force on the reporting date. -#}
{% macro health_days(threshold) -%}
    (
        select limits.days from {{ ref('health_thresholds') }} as limits
        where
            limits.threshold = '{{ threshold }}'
            and {{ as_of() }} between limits.in_force_from_on and coalesce(limits.in_force_to_on, {{ as_of() }})
    )
{%- endmacro %}

{#-
    The month ends before the reporting date, at most 24 of them, on which a spell may have been open: a set, one row each. From the month of
    its start to that of its end; whether it was open on the last day is for the caller to ask.
-#}
{% macro month_ends(started_on, ended_on) -%}
    (
        generate_series(
            date_trunc('month', greatest({{ started_on }}, {{ months_before(24, as_of()) }})::timestamp),
            least(date_trunc('month', {{ ended_on }}::timestamp), date_trunc('month', {{ as_of() }}::timestamp) - interval '1 month'),
            interval '1 month'
        ) + interval '1 month - 1 day'
    )::date
{%- endmacro %}
