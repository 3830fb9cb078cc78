-- Every registration, in each census, of the children who have SEN in it, by the census row or by an exclusion in its term.
with excluded as (
    select distinct
        exclusion._delivery_id,
        exclusion.census_pupil_id
    from {{ ref('stg_school_census__exclusion') }} as exclusion
    where exclusion.sen_provision in ('E', 'K')
),

child as (
    select distinct
        pupil.person_id,
        census.reference_on
    from {{ ref('stg_school_census__pupil') }} as pupil
    inner join {{ ref('int_census__dated') }} as census
        on pupil._delivery_id = census._delivery_id
    left join excluded
        on
            pupil._delivery_id = excluded._delivery_id
            and pupil.census_pupil_id = excluded.census_pupil_id
    where
        pupil.person_id is not null
        and (pupil.sen_provision in ('E', 'K') or excluded.census_pupil_id is not null)
)

select
    child.person_id,
    census.reference_on,
    census.attendance_from_on,
    census.attendance_to_on,
    census.is_latest,
    pupil.census_pupil_id,
    school.urn,
    pupil.enrolment_status,
    pupil.sen_provision,
    pupil.entered_on,
    pupil.sessions_possible,
    pupil.sessions_absent_authorised,
    pupil.sessions_absent_unauthorised,
    status.preference is not null and row_number() over (
        partition by child.person_id, child.reference_on
        order by
            status.preference asc nulls last,
            pupil.entered_on desc nulls last,
            school.urn asc nulls last,
            pupil._delivery_id asc,
            pupil._row_number asc
    ) = 1 as is_main,
    pupil._delivery_id,
    pupil._row_number
from child
inner join {{ ref('int_census__dated') }} as census
    on child.reference_on = census.reference_on
inner join {{ ref('stg_school_census__pupil') }} as pupil
    on
        child.person_id = pupil.person_id
        and census._delivery_id = pupil._delivery_id
left join {{ ref('stg_school_census__school') }} as school
    on
        pupil._delivery_id = school._delivery_id
        and pupil.census_school_id = school.census_school_id
left join {{ ref('enrolment_statuses') }} as status
    on pupil.enrolment_status = status.enrolment_status
