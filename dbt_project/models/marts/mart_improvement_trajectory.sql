{#- The forecast is the straight line through the latest months, at least so many. -#}
{% set months, fewest_months = 12, 3 %}
{{ latest_improvement_plan() }},

aimed as (
    select
        action.action_id,
        action.title,
        action.owner_organisation,
        action.started_on,
        action.status,
        milestone.indicator_code,
        coalesce(max(milestone.due_on), action.due_on) as due_on
    from latest
    inner join {{ ref('stg_improvement_plan__action') }} as action
        on latest._delivery_id = action._delivery_id
    inner join {{ ref('stg_improvement_plan__milestone') }} as milestone
        on
            action._delivery_id = milestone._delivery_id
            and action.action_id = milestone.action_id
    where milestone.indicator_code is not null
    group by
        action.action_id,
        action.title,
        action.owner_organisation,
        action.started_on,
        action.due_on,
        action.status,
        milestone.indicator_code
),

point as (
    select
        chart.measure,
        chart.period_kind,
        chart.period_to_on,
        chart.value,
        chart.variation,
        {{ month_number('chart.period_to_on') }} as month,
        row_number() over (partition by chart.measure, chart.period_kind order by chart.period_to_on desc) as recency
    from {{ ref('mart_indicator_spc') }} as chart
    where chart.geography_type = 'partnership'
),

-- By least squares, in exact numbers: a sum of binary fractions would depend on the order of the points.
line as (
    select
        point.measure,
        point.period_kind,
        count(*) as points,
        max(point.value) filter (where point.recency = 1) as value,
        max(point.period_to_on) as period_to_on,
        max(point.variation) filter (where point.recency = 1) as variation,
        avg(point.month) as middle_month,
        avg(point.value) as middle_value,
        (count(*) * sum(point.month * point.value) - sum(point.month) * sum(point.value))
        / nullif(count(*) * sum(point.month * point.month) - sum(point.month) * sum(point.month), 0) as slope
    from point
    where point.recency <= {{ months }}
    group by point.measure, point.period_kind
),

-- The first point that the action had any part in is the baseline.
begun as (
    select distinct on (aimed.action_id, measure.measure)
        aimed.action_id,
        measure.measure,
        point.period_to_on as baseline_to_on,
        point.value as baseline_value
    from aimed
    inner join {{ ref('indicator_measures') }} as measure
        on aimed.indicator_code = measure.indicator_code
    inner join point
        on measure.measure = point.measure
    where point.period_to_on >= aimed.started_on
    order by
        aimed.action_id asc,
        measure.measure asc,
        point.period_to_on asc
),

-- A measure without months is known by its headline alone.
joined as (
    select
        aimed.*,
        measure.measure,
        measure.better,
        measure.unit,
        begun.baseline_to_on,
        begun.baseline_value,
        headline.target,
        coalesce(line.period_to_on, headline.period_to_on) as latest_to_on,
        coalesce(line.value, headline.value) as latest_value,
        line.variation,
        case
            when line.points >= {{ fewest_months }} and aimed.due_on > {{ as_of() }}
                then line.middle_value + line.slope * ({{ month_number('aimed.due_on') }} - line.middle_month)
        end as forecast
    from aimed
    inner join {{ ref('indicator_measures') }} as measure
        on aimed.indicator_code = measure.indicator_code
    inner join {{ ref('mart_indicator') }} as headline
        on
            measure.measure = headline.measure
            and headline.is_headline
    left join line
        on measure.measure = line.measure
    left join begun
        on
            aimed.action_id = begun.action_id
            and measure.measure = begun.measure
),

forecast as (
    select
        joined.*,
        case
            when joined.forecast is null then null
            when joined.unit = 'percent' then round(least(greatest(joined.forecast, 0), 100), 1)
            else round(greatest(joined.forecast, 0), 1)
        end as forecast_value
    from joined
)

select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    forecast.action_id as action_number,
    forecast.title as action_title,
    forecast.owner_organisation,
    forecast.status as action_status,
    forecast.started_on,
    forecast.due_on,
    forecast.indicator_code,
    forecast.measure,
    forecast.better,
    forecast.baseline_to_on,
    forecast.baseline_value,
    forecast.target,
    forecast.latest_to_on,
    forecast.latest_value,
    forecast.variation,
    forecast.forecast_value,
    case
        when forecast.target is null or forecast.better = 'neither' then 'no_target'
        when {{ is_reached('forecast.latest_value', 'forecast.target', 'forecast.better') }} then 'reached'
        when forecast.due_on <= {{ as_of() }} and forecast.latest_value is not null then 'missed'
        when forecast.forecast_value is null then 'no_forecast'
        when {{ is_reached('forecast.forecast_value', 'forecast.target', 'forecast.better') }} then 'on_track'
        else 'off_track'
    end as outlook
from forecast
order by
    forecast.action_id,
    forecast.measure
