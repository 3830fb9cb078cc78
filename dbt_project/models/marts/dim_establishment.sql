-- Whatever a feed calls a setting by is here, so that no fact refers to nothing.
{% set naming = [
    'stg_sen2__placement',
    'stg_sen2__plan_detail',
    'stg_school_census__school',
    'stg_ap_census__pupil',
    'stg_ehc_casework__plan',
    'stg_ehc_casework__panel_decision',
    'stg_part_time_timetables__timetable',
    'stg_post16__participation',
] %}
with named as (
    {% for model in naming %}
        select feed.urn
        from {{ ref(model) }} as feed
        where feed.urn is not null
        {% if not loop.last %}union{% endif %}
    {% endfor %}
)

select
    '{{ var("partnership") }}'::text as partnership,
    establishment.urn as establishment_urn,
    establishment.establishment_name,
    establishment.type_name as establishment_type,
    establishment.phase as establishment_phase,
    establishment.placement_type,
    establishment.district as establishment_district,
    establishment.authority_code,
    establishment.opened_on,
    establishment.closed_on,
    true as is_in_gias
from {{ ref('int_establishment__phased') }} as establishment
union all
select
    '{{ var("partnership") }}'::text as partnership,
    named.urn as establishment_urn,
    null::text as establishment_name,
    null::text as establishment_type,
    null::text as establishment_phase,
    null::text as placement_type,
    null::text as establishment_district,
    null::text as authority_code,
    null::date as opened_on,
    null::date as closed_on,
    false as is_in_gias
from named
where named.urn not in (select establishment.urn from {{ ref('int_establishment__phased') }} as establishment)
order by establishment_urn
