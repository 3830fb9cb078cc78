{#- The method's own numbers, decision 0015: mean moving ranges from the mean to a limit, points of a run, and fewest points of a chart. -#}
{% set limit, run, fewest_points = 2.66, 7, 12 %}
-- Every rule is a window over the points of one baseline. The outer third begins at two thirds of the way from the mean to a limit. Mean
-- and limits are kept unrounded until they are shown.
with point as (
    select
        indicator.measure,
        indicator.indicator_code,
        indicator.geography_type,
        indicator.geography_code,
        indicator.period_kind,
        indicator.period_from_on,
        indicator.period_to_on,
        indicator.value,
        (
            select count(*)
            from {{ ref('spc_rebaselines') }} as decision
            where
                decision.measure = indicator.measure
                and decision.decided_on <= {{ as_of() }}
                and decision.from_on <= indicator.period_from_on
        ) as baseline
    from {{ ref('mart_indicator') }} as indicator
    where
        indicator.breakdown = 'total'
        and indicator.period_kind in ('month', 'month_end')
        and indicator.value is not null
),

moved as (
    select
        point.*,
        point.value - lag(point.value) over in_order as change
    from point
    window
        in_order as (
            partition by point.measure, point.period_kind, point.geography_type, point.geography_code, point.baseline
            order by point.period_to_on
        )
),

limited as (
    select
        moved.*,
        count(*) over baseline as points,
        min(moved.period_from_on) over baseline as baseline_from_on,
        avg(moved.value) over baseline as mean,
        avg(abs(moved.change)) over baseline as mean_moving_range
    from moved
    window
        baseline as (partition by moved.measure, moved.period_kind, moved.geography_type, moved.geography_code, moved.baseline)
),

placed as (
    select
        limited.*,
        limited.points >= {{ fewest_points }} as has_limits,
        limited.mean - {{ limit }} * limited.mean_moving_range as lower_limit,
        limited.mean + {{ limit }} * limited.mean_moving_range as upper_limit,
        sign(limited.value - limited.mean)::integer as side,
        sign(limited.change)::integer as direction,
        abs(limited.value - limited.mean) > {{ limit }} * limited.mean_moving_range as is_outside_limits,
        abs(limited.value - limited.mean) > {{ limit }} * limited.mean_moving_range * 2 / 3 as is_in_outer_third
    from limited
),

-- A rule is completed by its last point.
completed as (
    select
        placed.*,
        case
            when count(*) over run = {{ run }} and abs(sum(placed.side) over run) = {{ run }} then placed.side
        end as completed_shift,
        case
            when
                count(placed.direction) over moves = {{ run - 1 }}
                and abs(sum(placed.direction) over moves) = {{ run - 1 }}
                then placed.direction
        end as completed_trend,
        count(*) filter (where placed.is_in_outer_third and placed.side = 1) over three >= 2 as has_two_of_three_high,
        count(*) filter (where placed.is_in_outer_third and placed.side = -1) over three >= 2 as has_two_of_three_low
    from placed
    window
        in_order as (
            partition by placed.measure, placed.period_kind, placed.geography_type, placed.geography_code, placed.baseline
            order by placed.period_to_on
        ),
        run as (in_order rows between {{ run - 1 }} preceding and current row),
        moves as (in_order rows between {{ run - 2 }} preceding and current row),
        three as (in_order rows between 2 preceding and current row)
),

-- It is shown on every point that is part of it: this one or one of those after it completes the rule.
shown as (
    select
        completed.*,
        bool_or(completed.completed_shift is not null) over run as is_part_of_shift,
        max(completed.completed_trend) over run as rising,
        min(completed.completed_trend) over run as falling,
        completed.is_in_outer_third
        and case completed.side
            when 1 then bool_or(completed.has_two_of_three_high) over three
            else bool_or(completed.has_two_of_three_low) over three
        end as is_part_of_two_of_three,
        row_number() over (
            partition by completed.measure, completed.period_kind, completed.geography_type, completed.geography_code
            order by completed.period_to_on desc
        ) = 1 as is_latest
    from completed
    window
        in_order as (
            partition by completed.measure, completed.period_kind, completed.geography_type, completed.geography_code, completed.baseline
            order by completed.period_to_on
        ),
        run as (in_order rows between current row and {{ run - 1 }} following),
        three as (in_order rows between current row and 2 following)
),

-- A trend tells its own direction, before the side of the mean that the point is on.
judged as (
    select
        shown.*,
        measure.better,
        target.target,
        case
            when not shown.has_limits then null
            when shown.rising = 1 then 1
            when shown.falling = -1 then -1
            when shown.is_part_of_shift or shown.is_part_of_two_of_three or shown.is_outside_limits then shown.side
        end as signal
    from shown
    inner join {{ ref('indicator_measures') }} as measure
        on shown.measure = measure.measure
    left join {{ ref('indicator_targets') }} as target
        on
            shown.measure = target.measure
            and {{ as_of() }} between target.in_force_from_on and coalesce(target.in_force_to_on, {{ as_of() }})
)

select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    judged.indicator_code,
    judged.measure,
    judged.geography_type,
    judged.geography_code,
    judged.period_kind,
    judged.period_from_on,
    judged.period_to_on,
    judged.is_latest,
    judged.value,
    judged.baseline_from_on,
    judged.points::integer as points,
    case when judged.has_limits then round(judged.mean, 2) end as mean,
    case when judged.has_limits then round(judged.mean_moving_range, 2) end as mean_moving_range,
    case when judged.has_limits then round(judged.lower_limit, 2) end as lower_limit,
    case when judged.has_limits then round(judged.upper_limit, 2) end as upper_limit,
    judged.has_limits and judged.is_outside_limits as is_outside_limits,
    judged.has_limits and judged.is_part_of_shift as is_part_of_shift,
    judged.has_limits and (judged.rising is not null or judged.falling is not null) as is_part_of_trend,
    judged.has_limits and judged.is_part_of_two_of_three as is_part_of_two_of_three,
    case
        when not judged.has_limits then 'too_few_points'
        when judged.signal is null then 'common_cause'
        when judged.better = 'neither' then 'neutral'
        when (judged.better = 'higher') = (judged.signal = 1) then 'improving'
        else 'concerning'
    end || case judged.signal when 1 then '_high' when -1 then '_low' else '' end as variation,
    judged.target,
    case
        when not judged.has_limits then 'too_few_points'
        when judged.target is null or judged.better = 'neither' then 'no_target'
        when judged.target between judged.lower_limit and judged.upper_limit then 'hit_and_miss'
        when (judged.better = 'higher') = (judged.target < judged.lower_limit) then 'consistently_passing'
        else 'consistently_failing'
    end as assurance
from judged
order by
    judged.measure,
    judged.period_kind,
    judged.geography_type,
    judged.geography_code,
    judged.period_to_on
