select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (
        partition by placement.person_id
        order by placement.entered_on asc, placement.urn asc, placement.ukprn asc, placement.ap_type asc
    ))::integer as placement_number,
    placement.urn as establishment_urn,
    placement.ukprn,
    placement.ap_type,
    placement.host_urn,
    placement.reason,
    placement.attendance_pattern,
    placement.sessions_per_week,
    placement.entered_on,
    placement.left_on,
    placement.sen_provision,
    placement.need_source,
    placement.reference_on as first_census_on,
    placement.known_on as need_known_on
from {{ ref('int_alternative_provision__entered') }} as placement
inner join {{ ref('int_child__keyed') }} as child
    on placement.person_id = child.person_id
