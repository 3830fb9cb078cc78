select
    organisation.partnership,
    organisation.role,
    organisation.name,
    organisation.code_system,
    organisation.code,
    organisation.in_force_from_on,
    organisation.in_force_to_on,
    {{ as_of() }} between organisation.in_force_from_on and coalesce(organisation.in_force_to_on, {{ as_of() }}) as is_current
from {{ ref('organisations') }} as organisation
where organisation.partnership = '{{ var("partnership") }}'
