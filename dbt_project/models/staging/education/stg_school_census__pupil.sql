select
    pupil.pupilonrolltableid as census_pupil_id,
    pupil.nativeid as census_school_id,
    {{ code('pupil.upn') }} as upn,
    {{ code('pupil.uniquelearnernumber') }} as uln,
    pupil.dob as date_of_birth_on,
    {{ code('pupil.sex') }} as gender_source,
    {{ code('pupil.ethnicity') }} as ethnicity_source,
    {{ postcode('pupil.postcode') }} as postcode,
    pupil.entrydate as entered_on,
    {{ code('pupil.enrolstatus') }} as enrolment_status,
    {{ code('pupil.senprovision') }} as sen_provision,
    pupil.pupilpremium as is_pupil_premium,
    pupil.termlysessionspossible as sessions_possible,
    pupil.termlysessionsauthorised as sessions_absent_authorised,
    pupil.termlysessionsunauthorised as sessions_absent_unauthorised,
    pupil._delivery_id,
    pupil._row_number,
    link.person_id
from {{ source('raw_council', 'school_census__pupilonroll') }} as pupil
left join {{ source('identity', 'link') }} as link
    on
        pupil._delivery_id = link.delivery_id
        and pupil._row_number = link.row_number
        and link.table_name = 'school_census__pupilonroll'
where pupil._delivery_id in {{ manifest() }}
