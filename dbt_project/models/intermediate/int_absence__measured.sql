with census as (
    select
        enrolment.person_id,
        enrolment.reference_on,
        enrolment.attendance_from_on <= {{ as_of() }}
        and enrolment.attendance_to_on > {{ months_before(6, as_of()) }} as is_recent,
        sum(enrolment.sessions_possible) as possible,
        sum(
            coalesce(enrolment.sessions_absent_authorised, 0) + coalesce(enrolment.sessions_absent_unauthorised, 0)
        ) as missed
    from {{ ref('int_enrolment__ranked') }} as enrolment
    where enrolment.sessions_possible is not null
    group by enrolment.person_id, enrolment.reference_on, is_recent
),

recent as (
    select
        census.person_id,
        sum(census.possible) as possible,
        sum(census.missed) as missed
    from census
    where census.is_recent
    group by census.person_id
    having sum(census.possible) > 0
),

latest as (
    select distinct on (census.person_id)
        census.person_id,
        census.possible,
        census.missed
    from census
    where census.possible > 0
    order by census.person_id asc, census.reference_on desc
)

select
    latest.person_id,
    recent.person_id is not null as is_recent,
    round(
        100.0 * coalesce(recent.missed, latest.missed) / coalesce(recent.possible, latest.possible), 1
    )::numeric(5, 1) as absence_pct
from latest
left join recent
    on latest.person_id = recent.person_id
