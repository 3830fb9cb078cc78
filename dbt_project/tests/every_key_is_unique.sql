-- Every intermediate model has one row per key. One query for all: a node for each would cost dbt more than Postgres.
{% set keys = {
    'int_plan__issued': 'person_id',
    'int_plan__active': 'person_id',
    'int_plan__reviewed': "_delivery_id || '/' || _row_number",
    'int_placement__joined': "_delivery_id || '/' || _row_number",
    'int_placement__current': 'person_id',
    'int_census__dated': '_delivery_id',
    'int_enrolment__registered': "_delivery_id || '/' || _row_number",
    'int_enrolment__ranked': "_delivery_id || '/' || _row_number",
    'int_enrolment__current': 'person_id',
    'int_need__ranked': "person_id || '/' || need_rank",
    'int_need__primary': 'person_id',
    'int_disability__identified': 'person_id',
    'int_exclusion__counted': 'person_id',
    'int_absence__measured': 'person_id',
    'int_exclusion__dated': "person_id || '/' || started_on || '/' || category",
    'int_social_care__episode': "person_id || '/' || involvement || '/' || started_on",
    'int_social_care__involved': 'person_id',
    'int_plan__dated': "person_id || '/' || started_on",
    'int_home_education__entered': "person_id || '/' || started_on",
    'int_home_education__registered': 'person_id',
    'int_alternative_provision__entered': "concat_ws('/', person_id, entered_on, coalesce(urn, ukprn, ap_type))",
    'int_clock__care': "clock || '/' || subject_id",
    'int_establishment__phased': 'urn',
    'int_health_referral__open': 'referral_key',
    'int_health_patient': "data_set || '/' || provider_code || '/' || local_patient_id || '/' || is_pseudonymised",
    'int_health_contact': 'contact_key',
    'int_health_referral': 'referral_key',
    'int_health_spell': 'spell_key',
    'int_health_wait': "referral_key || '/' || snapshot_on",
    'int_health_diagnosis': "referral_key || '/' || condition",
    'int_dynamic_support': 'register_id',
    'int_clock__health': "clock || '/' || part || '/' || subject_id",
    'int_indicator__health': "measure || '/' || coalesce(period_kind, '') || '/' || counted_on || '/' || subject_id",
    'int_indicator__care': "measure || '/' || coalesce(period_kind, '') || '/' || counted_on || '/' || subject_id",
    'int_indicator__schools': "measure || '/' || coalesce(period_kind, '') || '/' || counted_on || '/' || subject_id",
    'int_indicator__placement': "measure || '/' || coalesce(period_kind, '') || '/' || counted_on || '/' || subject_id",
    'int_upn__settled': 'person_id',
    'int_child__listed': 'person_id',
    'int_child__identified': 'person_id',
    'int_child__known': 'person_id',
    'int_child__dated': "person_id || '/' || valid_from_on",
    'int_child__keyed': 'person_id',
    'int_child__joined': 'person_id',
    'int_working_day': 'day_on',
    'int_child__grouped': 'person_id',
    'int_indicator__governance': "measure || '/' || counted_on || '/' || subject_id",
    'int_clock__disputes': "clock || '/' || part || '/' || subject_id",
    'int_complaint__timed': 'complaint_id',
    'int_enquiry__timed': 'enquiry_id',
    'int_appeal__due': 'appeal_id',
    'int_plan_correction__judged': 'correction_id',
    'int_indicator__quality': "measure || '/' || coalesce(period_kind, '') || '/' || counted_on || '/' || subject_id",
    'int_indicator__disputes': "measure || '/' || coalesce(period_kind, '') || '/' || counted_on || '/' || subject_id",
    'int_period': "period_kind || '/' || period_to_on",
    'int_period_day': "period_kind || '/' || period_to_on || '/' || day_on",
    'int_clock__governance': "clock || '/' || part || '/' || subject_id",
    'int_ehc_request__settled': 'request_key',
    'int_plan__in_force': "person_id || '/' || started_on",
    'int_annual_review__dated': 'review_id',
    'int_phase_transfer__dated': 'transfer_key',
    'int_clock__casework': "clock || '/' || part || '/' || subject_id",
    'int_indicator__casework': "measure || '/' || coalesce(period_kind, '') || '/' || counted_on || '/' || subject_id",
} %}
-- Of a table that is kept from the last build it is known.
select
    null::text as model,
    null::text as key
where false
{% for model, key in keys.items() if model not in var('kept') %}
    union all
    select
        '{{ model }}' as model,
        ({{ key }})::text as key
    from {{ ref(model) }}
    group by ({{ key }})::text
    having count(*) > 1 or ({{ key }})::text is null
{% endfor %}
