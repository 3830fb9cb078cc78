select distinct on (placement.person_id)
    placement.person_id,
    placement.urn,
    placement.ukprn,
    placement.sen_setting,
    placement.placement_type,
    placement.work_based,
    placement.entered_on,
    placement._delivery_id,
    placement._row_number
from {{ ref('int_placement__joined') }} as placement
where
    placement.placement_rank = 1
    and placement.is_open
order by
    placement.person_id asc,
    placement.entered_on desc,
    placement.reference_on desc nulls last,
    placement._delivery_id asc,
    placement._row_number asc
