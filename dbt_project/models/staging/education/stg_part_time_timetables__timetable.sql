-- A timetable is as the latest register that has it says.
select distinct on (timetable.timetable_id)
    timetable.timetable_id,
    {{ code('timetable.urn') }} as urn,
    {{ code('timetable.sen_provision') }} as sen_provision,
    timetable.reason,
    timetable.started_on,
    timetable.planned_end_on,
    timetable.ended_on,
    timetable.sessions_per_week,
    timetable.reviewed_on,
    timetable.last_reviewed_on,
    timetable.is_agreed_by_parent,
    coalesce(timetable.is_medical, false) as is_medical,
    delivery.reference_on,
    timetable._delivery_id,
    timetable._row_number,
    link.person_id
from {{ source('raw_council', 'part_time_timetables__timetable') }} as timetable
inner join {{ source('landing', 'delivery') }} as delivery
    on timetable._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        timetable._delivery_id = link.delivery_id
        and timetable._row_number = link.row_number
        and link.table_name = 'part_time_timetables__timetable'
where timetable._delivery_id in {{ manifest() }}
order by
    timetable.timetable_id asc,
    delivery.reference_on desc nulls last,
    timetable._delivery_id asc,
    timetable._row_number desc
