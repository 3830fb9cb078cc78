select
    complaint.complaint_id,
    complaint.person_id,
    complaint.stage,
    complaint.theme,
    complaint.received_on,
    complaint.acknowledged_on,
    due.day_on as due_on,
    complaint.replied_on,
    complaint.closed_on,
    complaint.outcome,
    case
        when complaint.replied_on is null and due.day_on < {{ as_of() }} then false
        else complaint.replied_on <= due.day_on
    end as is_replied_in_time
from {{ ref('stg_disputes__complaint') }} as complaint
left join {{ ref('service_standards') }} as standard
    on 'C03_stage_' || complaint.stage = standard.measure
left join {{ ref('int_working_day') }} as received
    on complaint.received_on = received.day_on
left join {{ ref('int_working_day') }} as due
    on
        received.working_day_number + standard.limit_number = due.working_day_number
        and due.is_working_day
