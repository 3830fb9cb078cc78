with named as (
    select distinct on (organisation.role, organisation.organisation_code)
        case organisation.role when 'district' then 'district' else 'provider' end as part_kind,
        organisation.organisation_code as part_code,
        organisation.organisation_name as part_name,
        0 as position
    from {{ ref('stg_organisations__organisation') }} as organisation
    where
        organisation.role in ('district', 'nhs_trust')
        and organisation.opened_on <= {{ as_of() }}
    order by
        organisation.role asc,
        organisation.organisation_code asc,
        organisation.opened_on desc,
        organisation._row_number asc
)

select
    '{{ var("partnership") }}'::text as partnership,
    named.part_kind,
    named.part_code,
    named.part_name,
    named.position
from named
union all
select
    '{{ var("partnership") }}'::text as partnership,
    'waiting_band' as part_kind,
    band.band as part_code,
    band.band as part_name,
    band.position
from {{ ref('waiting_bands') }} as band
where {{ as_of() }} between band.in_force_from_on and coalesce(band.in_force_to_on, {{ as_of() }})
order by part_kind, position, part_code
