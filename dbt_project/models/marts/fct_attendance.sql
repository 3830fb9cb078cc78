select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    enrolment.attendance_from_on,
    enrolment.attendance_to_on,
    (row_number() over (
        partition by enrolment.person_id, enrolment.attendance_to_on
        order by enrolment.is_main desc, enrolment.urn asc nulls last, enrolment._delivery_id asc, enrolment._row_number asc
    ))::integer as registration_number,
    enrolment.urn as establishment_urn,
    enrolment.sen_provision,
    enrolment.is_main,
    enrolment.sessions_possible,
    coalesce(enrolment.sessions_absent_authorised, 0) as sessions_absent_authorised,
    coalesce(enrolment.sessions_absent_unauthorised, 0) as sessions_absent_unauthorised
from {{ ref('int_enrolment__registered') }} as enrolment
inner join {{ ref('int_child__keyed') }} as child
    on enrolment.person_id = child.person_id
where enrolment.sessions_possible > 0
