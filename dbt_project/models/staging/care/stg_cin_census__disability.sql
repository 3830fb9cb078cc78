select
    disability.childtableid as cin_child_id,
    {{ code('disability.disability') }} as disability,
    disability._delivery_id,
    disability._row_number
from {{ source('raw_council', 'cin_census__disability') }} as disability
where disability._delivery_id in {{ manifest() }}
