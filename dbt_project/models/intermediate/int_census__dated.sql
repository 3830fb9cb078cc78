-- The term follows from the census's day, so a file that was named wrongly is still read as what it is.
select
    census._delivery_id,
    census.reference_on,
    term.attendance_from_on,
    term.attendance_to_on,
    census.reference_on = max(census.reference_on) over () as is_latest
from {{ ref('stg_school_census__census') }} as census
left join {{ ref('census_terms') }} as term
    on census.reference_on between term.reference_from_on and term.reference_to_on
where census.reference_on <= {{ as_of() }}
