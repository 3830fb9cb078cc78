-- Every cell that the tables show is here, nought too: one that is not there would look like one that is hidden.
with band as (
    select
        limits.band,
        limits.days_from,
        limits.days_to
    from {{ ref('waiting_bands') }} as limits
    where {{ as_of() }} between limits.in_force_from_on and coalesce(limits.in_force_to_on, {{ as_of() }})
),

counted as (
    select
        'health_waits_open' as return_table,
        waiting.snapshot_on as period_to_on,
        waiting.service,
        waiting.waiting_band,
        coalesce(waiting.district_code, 'not recorded') as district_code,
        waiting.provider_code
    from {{ ref('int_health_wait') }} as waiting
    where waiting.is_waiting and waiting.snapshot_on = {{ as_of() }}
    union all
    select
        'health_waits_completed' as return_table,
        {{ as_of() }} as period_to_on,
        referral.service,
        band.band as waiting_band,
        coalesce(referral.district_code, 'not recorded') as district_code,
        referral.provider_code
    from {{ ref('int_health_referral') }} as referral
    inner join band
        on
            referral.first_contact_on - referral.received_on >= band.days_from
            and referral.first_contact_on - referral.received_on <= coalesce(band.days_to, referral.first_contact_on - referral.received_on)
    where referral.first_contact_on > {{ months_before(12, as_of()) }} and referral.first_contact_on <= {{ as_of() }}
),

-- The parts of each dimension, and of each the total, beside districts or beside providers, as the return has them.
shown as (
    select
        listed.return_table,
        listed.measure,
        listed.period_kind,
        listed.period_from_on
    from (
        values
        ('health_waits_open', 'waiting', 'as_of', {{ as_of() }}),
        ('health_waits_completed', 'seen', 'twelve_months', {{ months_before(12, as_of()) }} + 1)
    ) as listed (return_table, measure, period_kind, period_from_on)
),

-- Those of the trend too, also where nobody waits or was seen any more.
service as (
    select distinct counted.service from counted
    union
    select distinct waiting.service
    from {{ ref('int_health_wait') }} as waiting
    where waiting.is_waiting
    union all
    select 'total' as service
),

time_waited as (
    select band.band from band
    union all
    select 'total' as band
),

place as (
    select
        null::text as service,
        'partnership' as geography_type,
        '{{ var("partnership") }}' as geography_code,
        'total' as provider_code
    union all
    select
        null as service,
        'district' as geography_type,
        organisation.organisation_code as geography_code,
        'total' as provider_code
    from {{ ref('stg_organisations__organisation') }} as organisation
    where
        organisation.role = 'district'
        and organisation.opened_on <= {{ as_of() }}
    union
    select
        null as service,
        'district' as geography_type,
        counted.district_code as geography_code,
        'total' as provider_code
    from counted
    union
    select
        counted.service,
        'partnership' as geography_type,
        '{{ var("partnership") }}' as geography_code,
        counted.provider_code
    from counted
    union
    select
        'total' as service,
        'partnership' as geography_type,
        '{{ var("partnership") }}' as geography_code,
        counted.provider_code
    from counted
),

cell as (
    select
        counted.return_table,
        coalesce(counted.service, 'total') as service,
        coalesce(counted.waiting_band, 'total') as waiting_band,
        case when grouping(counted.district_code) = 0 then 'district' else 'partnership' end as geography_type,
        coalesce(counted.district_code, '{{ var("partnership") }}') as geography_code,
        coalesce(counted.provider_code, 'total') as provider_code,
        count(*) as referrals
    from counted
    group by
        counted.return_table,
        grouping sets ((), (counted.service)),
        grouping sets ((), (counted.waiting_band)),
        grouping sets ((), (counted.district_code), (counted.provider_code))
),

-- Every open referral for suspected autism, and those past the limit of its clock without a first contact: as H04 counts them.
suspected as (
    select
        coalesce(waiting.district_code, 'not recorded') as district_code,
        waiting.provider_code,
        waiting.is_waiting and waiting.snapshot_on > clock.due_on as is_past_limit
    from {{ ref('int_health_wait') }} as waiting
    inner join {{ ref('int_clock__health') }} as clock
        on
            waiting.referral_key = clock.subject_id
            and clock.clock = 'CLK27'
    where waiting.pathway = 'autism' and waiting.snapshot_on = {{ as_of() }}
),

figure as (
    select
        shown.return_table,
        shown.measure,
        'count' as statistic,
        shown.period_kind,
        shown.period_from_on,
        {{ as_of() }} as period_to_on,
        place.geography_type,
        place.geography_code,
        'service | waiting_band | provider' as breakdown,
        service.service || ' | ' || time_waited.band || ' | ' || place.provider_code as breakdown_value,
        coalesce(cell.referrals, 0)::numeric as numerator,
        null::numeric as denominator
    from shown
    cross join service
    cross join time_waited
    inner join place
        on coalesce(place.service, service.service) = service.service
    left join cell
        on
            shown.return_table = cell.return_table
            and service.service = cell.service
            and time_waited.band = cell.waiting_band
            and place.geography_type = cell.geography_type
            and place.geography_code = cell.geography_code
            and place.provider_code = cell.provider_code
    union all
    select
        'health_waits_trend' as return_table,
        'waiting' as measure,
        'count' as statistic,
        period.period_kind,
        period.period_from_on,
        period.period_to_on,
        'partnership' as geography_type,
        '{{ var("partnership") }}' as geography_code,
        'service | waiting_band | provider' as breakdown,
        service.service || ' | total | total' as breakdown_value,
        count(waiting.referral_key)::numeric as numerator,
        null::numeric as denominator
    from {{ ref('int_period') }} as period
    cross join service
    left join {{ ref('int_health_wait') }} as waiting
        on
            period.period_to_on = waiting.snapshot_on
            and waiting.is_waiting
            and (service.service = waiting.service or service.service = 'total')
    where period.period_kind = 'month_end'
    group by
        period.period_kind,
        period.period_from_on,
        period.period_to_on,
        service.service
    union all
    select
        'health_waits_autism' as return_table,
        'past_13_weeks' as measure,
        'share' as statistic,
        'as_of' as period_kind,
        {{ as_of() }} as period_from_on,
        {{ as_of() }} as period_to_on,
        case when grouping(suspected.district_code) = 0 then 'district' else 'partnership' end as geography_type,
        coalesce(suspected.district_code, '{{ var("partnership") }}') as geography_code,
        case when grouping(suspected.provider_code) = 0 then 'provider' else 'total' end as breakdown,
        coalesce(suspected.provider_code, 'total') as breakdown_value,
        count(*) filter (where suspected.is_past_limit)::numeric as numerator,
        count(*)::numeric as denominator
    from suspected
    group by grouping sets ((), (suspected.district_code), (suspected.provider_code))
)

select
    '{{ var("partnership") }}'::text as partnership,
    figure.return_table,
    ''::text as indicator_code,
    figure.measure,
    figure.statistic,
    case figure.statistic when 'share' then 100 end as per,
    'people'::text as counts,
    figure.period_kind,
    figure.period_from_on,
    figure.period_to_on,
    figure.geography_type,
    figure.geography_code,
    figure.breakdown,
    figure.breakdown_value,
    null::bigint as people,
    figure.numerator,
    figure.denominator,
    case figure.statistic
        when 'share' then round(100 * figure.numerator / nullif(figure.denominator, 0), 1)
        else figure.numerator
    end as value,
    case when figure.statistic = 'share' and figure.denominator = 0 then 'x' else 'ok' end as status
from figure
order by
    figure.return_table,
    figure.measure,
    figure.period_to_on,
    figure.geography_type,
    figure.geography_code,
    figure.breakdown,
    figure.breakdown_value
