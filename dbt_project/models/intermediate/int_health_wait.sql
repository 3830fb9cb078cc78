-- Who waits at the end of each of the last 24 months, and on the reporting date. Of suspected autism and ADHD every open referral is here,
-- because those who wait are held against them all.
with band_day as (
    select
        generate_series(band.days_from, coalesce(band.days_to, band.days_from)) as days,
        band.band,
        band.position
    from {{ ref('waiting_bands') }} as band
    where {{ as_of() }} between band.in_force_from_on and coalesce(band.in_force_to_on, {{ as_of() }})
),

snapshot as (
    select
        referral.*,
        {{ month_ends('referral.received_on', 'referral.ended_on') }} as snapshot_on
    from {{ ref('int_health_referral') }} as referral
    union all
    select
        referral.*,
        {{ as_of() }} as snapshot_on
    from {{ ref('int_health_referral') }} as referral
),

waited as (
    select
        snapshot.*,
        snapshot.first_contact_on is null or snapshot.first_contact_on > snapshot.snapshot_on as is_waiting,
        snapshot.snapshot_on - snapshot.received_on as days_waited
    from snapshot
    where {{ is_open('snapshot.received_on', 'snapshot.ended_on', 'snapshot.snapshot_on') }}
)

select
    waited.snapshot_on,
    waited.referral_key,
    waited.data_set,
    waited.provider_code,
    waited.person_id,
    waited.district_code,
    waited.service,
    waited.referral_number,
    waited.pathway,
    waited.is_waiting,
    waited.days_waited,
    band_day.band as waiting_band,
    band_day.position as waiting_band_position
from waited
left join band_day
    on least(waited.days_waited, (select max(last_day.days) from band_day as last_day)) = band_day.days
where waited.is_waiting or waited.pathway in ('autism', 'adhd')
