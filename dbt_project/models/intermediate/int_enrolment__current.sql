-- Main and subsidiary school in the latest census.
select
    enrolment.person_id,
    (
        array_agg(enrolment.urn order by enrolment.recency)
        filter (where enrolment.enrolment_status in ('C', 'M'))
    )[1] as main_urn,
    min(enrolment.urn) filter (where enrolment.enrolment_status = 'S') as subsidiary_urn
from {{ ref('int_enrolment__ranked') }} as enrolment
where enrolment.is_latest_census
group by enrolment.person_id
