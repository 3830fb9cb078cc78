-- Census rows of listed children only, joined once here for all that follows.
with joined as (
    select
        child.person_id,
        pupil.census_pupil_id,
        school.urn,
        pupil.upn,
        pupil.uln,
        pupil.date_of_birth_on,
        pupil.gender_source,
        pupil.ethnicity_source,
        pupil.postcode,
        pupil.is_pupil_premium,
        pupil.enrolment_status,
        status.preference,
        pupil.entered_on,
        census.reference_on,
        census.attendance_from_on,
        census.attendance_to_on,
        census.is_latest as is_latest_census,
        pupil.sessions_possible,
        pupil.sessions_absent_authorised,
        pupil.sessions_absent_unauthorised,
        pupil._delivery_id,
        pupil._row_number
    from {{ ref('int_child__listed') }} as child
    inner join {{ ref('stg_school_census__pupil') }} as pupil
        on child.person_id = pupil.person_id
    inner join {{ ref('int_census__dated') }} as census
        on pupil._delivery_id = census._delivery_id
    left join {{ ref('stg_school_census__school') }} as school
        on
            pupil._delivery_id = school._delivery_id
            and pupil.census_school_id = school.census_school_id
    left join {{ ref('enrolment_statuses') }} as status
        on pupil.enrolment_status = status.enrolment_status
)

select
    joined.*,
    row_number() over (
        partition by joined.person_id
        order by
            joined.preference is null asc,
            joined.reference_on desc,
            joined.preference asc,
            joined.entered_on desc nulls last,
            joined.urn asc nulls last,
            joined._delivery_id asc,
            joined._row_number asc
    ) as recency
from joined
