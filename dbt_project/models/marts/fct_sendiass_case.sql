select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    (row_number() over (order by sendiass.opened_on asc nulls last, sendiass.sendiass_case_id asc))::integer as sendiass_case_number,
    sendiass.theme,
    sendiass.level,
    sendiass.opened_on,
    sendiass.closed_on
from {{ ref('stg_contact_log__sendiass_case') }} as sendiass
