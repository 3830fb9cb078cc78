with district as (
    select distinct on (organisation.organisation_code)
        organisation.organisation_code as district_code,
        organisation.organisation_name as district_name
    from {{ ref('stg_organisations__organisation') }} as organisation
    where
        organisation.role = 'district'
        and organisation.opened_on <= {{ as_of() }}
    order by
        organisation.organisation_code asc,
        organisation.opened_on desc,
        organisation._row_number asc
),

lived_in as (
    select known.district_code
    from {{ ref('int_child__known') }} as known
    where known.district_code is not null
    union
    select listed.district_code
    from {{ ref('int_child__joined') }} as listed
    where listed.district_code is not null
)

select
    '{{ var("partnership") }}'::text as partnership,
    coalesce(district.district_code, lived_in.district_code) as district_code,
    district.district_name,
    district.district_code is not null as is_in_partnership
from district
full join lived_in
    on district.district_code = lived_in.district_code
order by district_code
