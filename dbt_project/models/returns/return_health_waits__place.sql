select distinct on (organisation.role, organisation.organisation_code)
    '{{ var("partnership") }}'::text as partnership,
    case organisation.role when 'district' then 'district' else 'provider' end as place_kind,
    organisation.organisation_code as place_code,
    organisation.organisation_name as place_name
from {{ ref('stg_organisations__organisation') }} as organisation
where
    organisation.role in ('district', 'nhs_trust')
    and organisation.opened_on <= {{ as_of() }}
order by
    organisation.role asc,
    organisation.organisation_code asc,
    organisation.opened_on desc,
    organisation._row_number asc
