{#- The delivery that is the latest plan: each is the whole plan on its day. -#}
{% macro latest_improvement_plan() -%}
with latest as (
    select action._delivery_id
    from {{ ref('stg_improvement_plan__action') }} as action
    order by
        action.reference_on desc nulls last,
        action._delivery_id asc
    limit 1
)
{%- endmacro %}
