{#- Joins the wording of a house code, in the layout in force for the run; read it as `<column_name>_wording.wording`. -#}
{% macro join_wording(list_name, column_name, code) -%}
left join {{ source('layout', 'annex_a_layout') }} as {{ column_name }}_wording
    on
        {{ column_name }}_wording.list_name = '{{ list_name }}'
        and {{ column_name }}_wording.column_name = '{{ column_name }}'
        and {{ column_name }}_wording.code = {{ code }}
{%- endmacro %}

{#- The house code of a yes or no. -#}
{% macro yes_no(condition) -%}
    case when {{ condition }} then 'Y' else 'N' end
{%- endmacro %}
