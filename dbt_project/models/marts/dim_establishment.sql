with named as (
    select placement.urn
    from {{ ref('stg_sen2__placement') }} as placement
    where placement.urn is not null
    union
    select school.urn
    from {{ ref('stg_school_census__school') }} as school
    where school.urn is not null
    union
    select alternative.urn
    from {{ ref('stg_ap_census__pupil') }} as alternative
    where alternative.urn is not null
    union
    select timetable.urn
    from {{ ref('stg_part_time_timetables__timetable') }} as timetable
    where timetable.urn is not null
    union
    select spell.urn
    from {{ ref('stg_post16__participation') }} as spell
    where spell.urn is not null
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
