select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (
        partition by placement.person_id
        order by
            placement.entered_on asc nulls first,
            placement.placement_rank asc,
            placement._delivery_id asc,
            placement._row_number asc
    ))::integer as placement_number,
    placement.placement_rank,
    placement.urn as establishment_urn,
    placement.ukprn,
    placement.sen_setting,
    placement.placement_type,
    placement.residential,
    placement.work_based,
    placement.entered_on,
    placement.left_on,
    coalesce(placement.is_open, false) as is_open,
    current_one.person_id is not null as is_attended
from {{ ref('int_placement__joined') }} as placement
inner join {{ ref('int_child__keyed') }} as child
    on placement.person_id = child.person_id
left join {{ ref('int_placement__current') }} as current_one
    on
        placement._delivery_id = current_one._delivery_id
        and placement._row_number = current_one._row_number
