-- A record without a person would be a child lost without a word.
{% for model in [
    'stg_sen2__person',
    'stg_school_census__pupil',
    'stg_ehe_register__child',
    'stg_ehc_casework__case',
    'stg_ehc_casework__advice',
    'stg_cin_census__child',
    'stg_ssda903__child',
    'stg_csds__patient',
    'stg_mhsds__patient',
    'stg_health_advice__advice',
    'stg_health_advice__notification',
    'stg_dynamic_support_register__register',
    'stg_nhs_number_trace__trace',
] %}
    select
        record._delivery_id,
        record._row_number
    from {{ ref(model) }} as record
    where record.person_id is null
    {% if not loop.last %}union all{% endif %}
{% endfor %}
