{#- Every model is built out of everyone's sight, in candidate_<folder>; the gate makes it live. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ target.schema }}{% if custom_schema_name %}_{{ custom_schema_name | trim }}{% endif %}
{%- endmacro %}
