-- A placement that several censuses report is a row of each: each says of a child what was so on its day.
select
    {{ code('pupil.urn') }} as urn,
    {{ code('pupil.ukprn') }} as ukprn,
    {{ code('pupil.aptype') }} as ap_type,
    {{ code('pupil.hosturn') }} as host_urn,
    pupil.entrydate as entered_on,
    pupil.leavingdate as left_on,
    {{ code('pupil.placementreason') }} as reason,
    {{ code('pupil.attendancepattern') }} as attendance_pattern,
    pupil.sessionsperweek as sessions_per_week,
    {{ code('pupil.senprovision') }} as sen_provision,
    {{ code('pupil.sentype') }} as need_source,
    delivery.reference_on,
    pupil._delivery_id,
    pupil._row_number,
    link.person_id
from {{ source('raw_council', 'ap_census__pupil') }} as pupil
inner join {{ source('landing', 'delivery') }} as delivery
    on pupil._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        pupil._delivery_id = link.delivery_id
        and pupil._row_number = link.row_number
        and link.table_name = 'ap_census__pupil'
where pupil._delivery_id in {{ manifest() }}
