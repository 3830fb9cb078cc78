with main_row as (
    select distinct on (pupil.person_id)
        pupil.person_id,
        pupil.sen_provision,
        pupil._delivery_id,
        pupil._row_number
    from {{ ref('int_census__dated') }} as census
    inner join {{ ref('stg_school_census__pupil') }} as pupil
        on census._delivery_id = pupil._delivery_id
    inner join {{ ref('enrolment_statuses') }} as status
        on pupil.enrolment_status = status.enrolment_status
    left join {{ ref('stg_school_census__school') }} as school
        on
            pupil._delivery_id = school._delivery_id
            and pupil.census_school_id = school.census_school_id
    where
        census.is_latest
        and pupil.person_id is not null
    order by
        pupil.person_id asc,
        status.preference asc,
        pupil.entered_on desc nulls last,
        school.urn asc nulls last,
        pupil._delivery_id asc,
        pupil._row_number asc
)

select
    main_row.person_id,
    main_row._delivery_id,
    main_row._row_number
from main_row
where main_row.sen_provision = 'K'
