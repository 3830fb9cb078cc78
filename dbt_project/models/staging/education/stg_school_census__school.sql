select
    school.nativeid as census_school_id,
    {{ code('school.urn') }} as urn,
    school._delivery_id,
    school._row_number
from {{ source('raw_council', 'school_census__school') }} as school
where school._delivery_id in {{ manifest() }}
