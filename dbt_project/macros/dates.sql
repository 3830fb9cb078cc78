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
