-- Whole periods alone, the latest first: one that has begun would be compared with whole ones. 24 month ends and 36 months are enough for
-- a chart of 24 points with a baseline before it. Rolling periods end with each of 24 months.
with spring as (
    select
        term.census_on,
        row_number() over (order by term.census_on desc) as recency
    from {{ ref('census_terms') }} as term
    where
        term.term = 'spring'
        and term.census_on <= {{ as_of() }}
),

taught as (
    select
        term.attendance_to_on,
        term.attendance_from_on as term_from_on,
        lag(term.attendance_from_on, 2) over (order by term.census_on) as attendance_from_on,
        row_number() over (order by term.census_on desc) as recency
    from {{ ref('census_terms') }} as term
    where term.census_on <= {{ as_of() }}
),

step as (
    select
        kind.period_kind,
        kind.months,
        number.number,
        (date_trunc(kind.unit, {{ as_of() }} + 1) - make_interval(months => kind.step * number.number))::date as end_on
    from (
        values
        ('calendar_year', 'year', 12, 12, 3),
        ('quarter', 'quarter', 3, 3, 12),
        ('month', 'month', 1, 1, 36),
        ('month_end', 'month', 1, 1, 24),
        ('rolling_12_months', 'month', 12, 1, 24),
        ('rolling_3_months', 'month', 3, 1, 24)
    ) as kind (period_kind, unit, months, step, periods)
    cross join lateral generate_series(0, kind.periods - 1) as number (number)
),

period as (
    select
        step.period_kind,
        case
            when step.period_kind = 'month_end' then step.end_on - 1
            else (step.end_on - make_interval(months => step.months))::date
        end as period_from_on,
        step.end_on - 1 as period_to_on,
        step.number = 0 as is_headline
    from step
    union all
    select
        'as_of' as period_kind,
        {{ as_of() }} as period_from_on,
        {{ as_of() }} as period_to_on,
        true as is_headline
    union all
    -- What a return alone tells is of the day of the return.
    select
        'sen2_return' as period_kind,
        coalesce(latest.returned_on, {{ as_of() }}) as period_from_on,
        coalesce(latest.returned_on, {{ as_of() }}) as period_to_on,
        true as is_headline
    from {{ ref('stg_landing__sen2_return') }} as latest
    union all
    select
        'term' as period_kind,
        taught.term_from_on as period_from_on,
        taught.attendance_to_on as period_to_on,
        taught.recency = 1 as is_headline
    from taught
    where taught.recency <= 9
    union all
    select
        'sen2_census' as period_kind,
        spring.census_on as period_from_on,
        spring.census_on as period_to_on,
        spring.recency = 1 as is_headline
    from spring
    where spring.recency <= 3
    union all
    select
        'ap_census_year' as period_kind,
        earlier.census_on + 1 as period_from_on,
        spring.census_on as period_to_on,
        spring.recency = 1 as is_headline
    from spring
    inner join spring as earlier
        on spring.recency + 1 = earlier.recency
    where spring.recency <= 3
    union all
    -- The three latest terms that a census has told of: the school year, when the latest census is that of autumn.
    select
        'academic_year' as period_kind,
        taught.attendance_from_on as period_from_on,
        taught.attendance_to_on as period_to_on,
        taught.recency = 1 as is_headline
    from taught
    where
        taught.recency in (1, 4, 7)
        and taught.attendance_from_on is not null
    union all
    select
        moved.period_kind,
        make_date(moved.year - number.number, 1, 1) as period_from_on,
        make_date(moved.year - number.number, moved.month, moved.day) as period_to_on,
        number.number = 0 as is_headline
    from (
        values
        ('transfer_to_15_february', extract(year from {{ as_of() }})::integer, 2, 15),
        ('transfer_to_31_march', extract(year from {{ as_of() }})::integer, 3, 31),
        -- Transfers of September are known when a register of a month's end can tell of them.
        (
            'transfer_to_1_september',
            extract(year from date_trunc('month', {{ as_of() }} + 1) - interval '1 day' - interval '8 months')::integer,
            9,
            1
        )
    ) as moved (period_kind, year, month, day)
    cross join generate_series(0, 2) as number (number)
)

select
    period.period_kind,
    period.period_from_on,
    period.period_to_on,
    period.is_headline
from period
