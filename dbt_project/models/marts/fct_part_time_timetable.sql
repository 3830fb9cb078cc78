select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (
        partition by timetable.person_id
        order by timetable.started_on asc nulls first, timetable.timetable_id asc
    ))::integer as timetable_number,
    timetable.urn as establishment_urn,
    timetable.sen_provision,
    timetable.reason,
    timetable.started_on,
    timetable.planned_end_on,
    timetable.ended_on,
    timetable.sessions_per_week,
    timetable.reviewed_on,
    timetable.last_reviewed_on,
    timetable.reviewed_on - timetable.started_on as days_to_review,
    timetable.is_agreed_by_parent,
    timetable.is_medical,
    coalesce(
        {{ as_of() }} between timetable.started_on and coalesce(timetable.ended_on, {{ as_of() }}), false
    ) as is_open
from {{ ref('stg_part_time_timetables__timetable') }} as timetable
inner join {{ ref('int_child__keyed') }} as child
    on timetable.person_id = child.person_id
