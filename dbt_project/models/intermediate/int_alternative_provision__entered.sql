-- A placement that several censuses report: its child's provision and need are as the first of them says, its end as the latest does.
-- A need is known from the first day after that census on which a school census or a plan shows it.
with placement as (
    select distinct on (pupil.person_id, pupil.entered_on, coalesce(pupil.urn, pupil.ukprn, pupil.ap_type))
        pupil.person_id,
        pupil.entered_on,
        pupil.urn,
        pupil.ukprn,
        pupil.ap_type,
        pupil.host_urn,
        pupil.reason,
        pupil.attendance_pattern,
        pupil.sessions_per_week,
        pupil.sen_provision,
        pupil.need_source,
        pupil.reference_on,
        first_value(pupil.left_on) over (
            partition by pupil.person_id, pupil.entered_on, coalesce(pupil.urn, pupil.ukprn, pupil.ap_type)
            order by pupil.reference_on desc, pupil._delivery_id asc, pupil._row_number asc
        ) as left_on
    from {{ ref('stg_ap_census__pupil') }} as pupil
    where
        pupil.person_id is not null
        and pupil.entered_on is not null
        and pupil.reference_on <= {{ as_of() }}
    order by
        pupil.person_id asc,
        pupil.entered_on asc,
        coalesce(pupil.urn, pupil.ukprn, pupil.ap_type) asc,
        pupil.reference_on asc,
        pupil._delivery_id asc,
        pupil._row_number asc
),

shown as (
    select
        enrolment.person_id,
        enrolment.reference_on as shown_on
    from {{ ref('int_enrolment__registered') }} as enrolment
    where enrolment.sen_provision in ('E', 'K')
    union
    select
        version.person_id,
        version.started_on as shown_on
    from {{ ref('int_plan__dated') }} as version
),

known as (
    select
        placement.person_id,
        placement.reference_on,
        min(shown.shown_on) as known_on
    from placement
    inner join shown
        on
            placement.person_id = shown.person_id
            and placement.reference_on < shown.shown_on
    group by placement.person_id, placement.reference_on
)

select
    placement.*,
    known.known_on
from placement
left join known
    on
        placement.person_id = known.person_id
        and placement.reference_on = known.reference_on
