{#- The reporting date of the run, as a date literal. Nothing in this project asks what day it is. -#}
{% macro as_of() -%}
    date '{{ var("as_of") }}'
{%- endmacro %}

{#- The date `months` calendar months before `day`, clamped to the last day of a shorter month (31 August less 6 is 28 or 29 February). -#}
{% macro months_before(months, day) -%}
    ({{ day }} - interval '{{ months }} months')::date
{%- endmacro %}

{#- Whole years from `born_on` to `day`. A child born on 29 February turns a year older on 1 March of a common year (English law). -#}
{% macro age_at(born_on, day) -%}
    extract(year from age({{ day }}, {{ born_on }}))::integer
{%- endmacro %}

{#- True where a spell is open on `day`: it has begun, and it ends after that day or has no end. -#}
{% macro is_open(started_on, ended_on, day) -%}
    ({{ started_on }} <= {{ day }} and ({{ ended_on }} is null or {{ ended_on }} > {{ day }}))
{%- endmacro %}

{#- The 31 August before the school year of `day`: by the age on it, children are of an age for school. -#}
{% macro school_year_eve(day) -%}
    (date_trunc('year', {{ day }} - interval '8 months') + interval '8 months' - interval '1 day')::date
{%- endmacro %}

{#- True where a child is of an age for school in the school year of `day`: 5 to 15 on the 31 August before. -#}
{% macro is_school_age(born_on, day) -%}
    ({{ age_at(born_on, school_year_eve(day)) }} between 5 and 15)
{%- endmacro %}

{#- The end of the latest month that had ended by `day`. -#}
{% macro last_month_end(day) -%}
    (date_trunc('month', {{ day }} + 1) - interval '1 day')::date
{%- endmacro %}

{#-
    The first day of what the registers tell: SEN2 and the council's registers have what went on since 1 January of the year before, the CIN
    census what was open since 1 April before the last whole year of it. Of earlier days they tell only a part.
-#}
{% macro registers_since() -%}
    (date_trunc('year', {{ as_of() }}) - interval '1 year')::date
{%- endmacro %}

{% macro cin_census_since() -%}
    (date_trunc('year', {{ as_of() }} - interval '3 months') - interval '9 months')::date
{%- endmacro %}

{#- A threshold in force on the reporting date. -#}
{% macro threshold(name) -%}
    (
        select limits.limit_number
        from {{ ref('indicator_thresholds') }} as limits
        where
            limits.threshold = '{{ name }}'
            and {{ as_of() }} between limits.in_force_from_on and coalesce(limits.in_force_to_on, {{ as_of() }})
    )
{%- endmacro %}
