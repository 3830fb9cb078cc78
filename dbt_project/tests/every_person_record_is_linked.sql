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
] %}
    select
        record._delivery_id,
        record._row_number
    from {{ ref(model) }} as record
    where record.person_id is null
    {% if not loop.last %}union all{% endif %}
{% endfor %}
