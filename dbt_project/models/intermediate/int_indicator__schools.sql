-- Exclusion, absence and alternative provision. A school year is the three latest terms that a census told of: the pupils of its last
-- census, or of that of a term, are those of the rates, and their provision for SEN is that of the row that reports the exclusion or the
-- sessions.
with school_time as (
    select
        period.period_kind,
        period.period_from_on,
        period.period_to_on
    from {{ ref('int_period') }} as period
    where period.period_kind in ('academic_year', 'term')
),

excluded as (
    select
        exclusion.person_id,
        exclusion.started_on,
        exclusion.category,
        exclusion.urn,
        measured.measure
    from {{ ref('int_exclusion__dated') }} as exclusion
    cross join
        lateral (
            values
            ('X01_plan', exclusion.is_suspension and exclusion.sen_provision = 'E'),
            ('X01_sen_support', exclusion.is_suspension and exclusion.sen_provision = 'K'),
            ('X02', exclusion.is_permanent and exclusion.sen_provision = 'E')
        ) as measured (measure, is_counted)
    where measured.is_counted
),

on_roll as (
    select
        enrolment.person_id,
        enrolment.attendance_to_on,
        enrolment.urn,
        school_time.period_kind,
        measured.measure
    from {{ ref('int_enrolment__registered') }} as enrolment
    inner join school_time
        on enrolment.attendance_to_on = school_time.period_to_on
    inner join (
        values
        ('X01_plan', 'E', 'academic_year'),
        ('X01_plan', 'E', 'term'),
        ('X01_sen_support', 'K', 'academic_year'),
        ('X01_sen_support', 'K', 'term'),
        ('X02', 'E', 'academic_year')
    ) as measured (measure, sen_provision, period_kind)
        on
            enrolment.sen_provision = measured.sen_provision
            and school_time.period_kind = measured.period_kind
    where enrolment.is_main
),

taught as (
    select
        enrolment.person_id,
        enrolment.attendance_to_on,
        enrolment.urn,
        enrolment.sen_provision,
        enrolment._delivery_id,
        enrolment._row_number,
        enrolment.sessions_possible as possible,
        coalesce(enrolment.sessions_absent_authorised, 0) + coalesce(enrolment.sessions_absent_unauthorised, 0) as missed
    from {{ ref('int_enrolment__registered') }} as enrolment
    where
        enrolment.sessions_possible > 0
        and enrolment.sen_provision in ('E', 'K')
),

absent as (
    select
        taught.person_id,
        school_time.period_kind,
        school_time.period_to_on,
        sum(taught.possible) as possible,
        sum(taught.missed) as missed,
        (array_agg(taught.urn order by taught.attendance_to_on desc, taught.possible desc, taught.urn asc))[1] as urn
    from taught
    inner join school_time
        on taught.attendance_to_on between school_time.period_from_on and school_time.period_to_on
    where taught.sen_provision = 'E'
    group by
        taught.person_id,
        school_time.period_kind,
        school_time.period_to_on
),

alternative as (
    select
        placement.person_id,
        placement.entered_on,
        coalesce(placement.urn, placement.ukprn, placement.ap_type) as provider,
        placement.sen_provision = 'N' as is_without_sen,
        placement.need_source is null as is_without_need,
        placement.known_on <= (
            placement.entered_on + make_interval(months => {{ threshold('need_after_alternative_provision') }})
        )::date as is_known_later
    from {{ ref('int_alternative_provision__entered') }} as placement
),

-- A census of alternative provision tells of a term that is over by then, and of less than the whole of the one that it falls into.
told as (
    select school_time.*
    from school_time
    where
        school_time.period_kind = 'term'
        and school_time.period_to_on <= (
            select max(placement.reference_on)
            from {{ ref('int_alternative_provision__entered') }} as placement
        )
),

alternative_measure as (
    select
        measured.measure,
        measured.period_kind,
        alternative.person_id,
        alternative.entered_on,
        alternative.provider,
        coalesce(measured.is_counted, false) as is_counted
    from alternative
    left join told
        on alternative.entered_on between told.period_from_on and told.period_to_on
    cross join
        lateral (
            values
            ('X05', 'ap_census_year', true, alternative.is_without_sen or alternative.is_without_need),
            ('X05', 'term', told.period_to_on is not null, alternative.is_without_sen or alternative.is_without_need),
            ('X06', 'ap_census_year', alternative.is_without_sen, alternative.is_known_later)
        ) as measured (measure, period_kind, is_asked, is_counted)
    where measured.is_asked
)

select
    excluded.measure,
    null::text as period_kind,
    excluded.started_on as counted_on,
    excluded.person_id,
    excluded.person_id || ' ' || excluded.category as subject_id,
    1::numeric as numerator,
    0::numeric as denominator,
    null::numeric as amount,
    excluded.urn as provider,
    establishment.placement_type
from excluded
left join {{ ref('int_establishment__phased') }} as establishment
    on excluded.urn = establishment.urn
union all
select
    on_roll.measure,
    on_roll.period_kind,
    on_roll.attendance_to_on as counted_on,
    on_roll.person_id,
    on_roll.person_id as subject_id,
    0::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    on_roll.urn as provider,
    establishment.placement_type
from on_roll
left join {{ ref('int_establishment__phased') }} as establishment
    on on_roll.urn = establishment.urn
union all
select
    case taught.sen_provision when 'E' then 'X03_plan' else 'X03_sen_support' end as measure,
    null::text as period_kind,
    taught.attendance_to_on as counted_on,
    taught.person_id,
    taught._delivery_id || '/' || taught._row_number as subject_id,
    taught.missed::numeric as numerator,
    taught.possible::numeric as denominator,
    null::numeric as amount,
    taught.urn as provider,
    establishment.placement_type
from taught
left join {{ ref('int_establishment__phased') }} as establishment
    on taught.urn = establishment.urn
union all
select
    measured.measure,
    absent.period_kind,
    absent.period_to_on as counted_on,
    absent.person_id,
    absent.person_id as subject_id,
    (
        100 * absent.missed >= absent.possible * case measured.measure
            when 'X04_severe' then {{ threshold('severe_absence') }}
            else {{ threshold('persistent_absence') }}
        end
    )::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    absent.urn as provider,
    establishment.placement_type
from absent
cross join (values ('X04_persistent'), ('X04_severe')) as measured (measure)
left join {{ ref('int_establishment__phased') }} as establishment
    on absent.urn = establishment.urn
union all
select
    measured.measure,
    measured.period_kind,
    measured.entered_on as counted_on,
    measured.person_id,
    concat_ws(' ', measured.person_id, measured.provider) as subject_id,
    measured.is_counted::integer::numeric as numerator,
    1::numeric as denominator,
    null::numeric as amount,
    measured.provider,
    'alternative_provision' as placement_type
from alternative_measure as measured
