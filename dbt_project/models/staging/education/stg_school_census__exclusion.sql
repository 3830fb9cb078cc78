select
    exclusion.pupilonrolltableid as census_pupil_id,
    exclusion.startdate as started_on,
    {{ code('exclusion.category') }} as category_source,
    {{ code('exclusion.senprovision') }} as sen_provision,
    {{ code('exclusion.reason1') }} as reason,
    exclusion.sessions,
    exclusion._delivery_id,
    exclusion._row_number
from {{ source('raw_council', 'school_census__termlyexclusionsonroll') }} as exclusion
where exclusion._delivery_id in {{ manifest() }}
