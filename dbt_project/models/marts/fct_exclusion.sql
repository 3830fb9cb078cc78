select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    exclusion.started_on,
    exclusion.category,
    exclusion.is_suspension,
    exclusion.is_permanent,
    exclusion.sen_provision,
    exclusion.reason,
    exclusion.sessions,
    exclusion.urn as establishment_urn
from {{ ref('int_exclusion__dated') }} as exclusion
inner join {{ ref('int_child__keyed') }} as child
    on exclusion.person_id = child.person_id
