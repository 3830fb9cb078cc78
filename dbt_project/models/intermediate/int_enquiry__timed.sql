select
    enquiry.enquiry_id,
    enquiry.person_id,
    enquiry.channel,
    enquiry.topic,
    enquiry.received_on,
    due.day_on as due_on,
    enquiry.answered_on,
    enquiry.is_repeat,
    case
        when enquiry.answered_on is null and due.day_on < {{ as_of() }} then false
        else enquiry.answered_on <= due.day_on
    end as is_answered_in_time
from {{ ref('stg_contact_log__enquiry') }} as enquiry
inner join {{ ref('service_standards') }} as standard
    on standard.measure = 'C05'
left join {{ ref('int_working_day') }} as received
    on enquiry.received_on = received.day_on
left join {{ ref('int_working_day') }} as due
    on
        received.working_day_number + standard.limit_number = due.working_day_number
        and due.is_working_day
