select
    need.pupilonrolltableid as census_pupil_id,
    {{ code('need.sentype') }} as need_source,
    need.sentyperank as need_rank,
    need._delivery_id,
    need._row_number
from {{ source('raw_council', 'school_census__senneeds') }} as need
where need._delivery_id in {{ manifest() }}
