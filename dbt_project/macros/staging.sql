{#- The deliveries that this run reads: its manifest. -#}
{% macro manifest() -%}
    (select run_delivery.delivery_id from {{ source('run', 'run_delivery') }} as run_delivery)
{%- endmacro %}

{#- A postcode as one that is compared: upper case, no spaces, null when empty. -#}
{% macro postcode(column) -%}
    nullif(upper(replace({{ column }}, ' ', '')), '')
{%- endmacro %}

{#- A code as the lists write it: upper case, no spaces around it, null when empty. -#}
{% macro code(column) -%}
    nullif(upper(btrim({{ column }})), '')
{%- endmacro %}

{#- Whether a row came in a copy from national processing, whose patients have a code in place of the NHS number (decision 0008). -#}
{% macro is_pseudonymised(relation, patients, nhs_number) -%}
    {{ relation }}._delivery_id in (
        select copied._delivery_id from {{ source('raw_icb', patients) }} as copied
        where copied.{{ nhs_number }} is null and copied.nhs_number_pseudo is not null
    )
{%- endmacro %}
