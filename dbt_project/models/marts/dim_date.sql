-- Whole years, because the date tables of BI tools want them: nobody is served for more than 26 years.
with day as (
    select series.day::date as date_on
    from generate_series(
        date_trunc('year', {{ as_of() }} - interval '26 years'),
        date_trunc('year', {{ as_of() }} + interval '3 years') - interval '1 day',
        interval '1 day'
    ) as series (day)
),

parted as (
    select
        day.date_on,
        extract(year from day.date_on)::integer as year,
        extract(quarter from day.date_on)::integer as quarter,
        extract(month from day.date_on)::integer as month,
        extract(isodow from day.date_on)::integer as weekday,
        extract(year from day.date_on + interval '5 months')::integer as academic_year_ends,
        extract(year from day.date_on - interval '3 months')::integer as financial_year_begins
    from day
)

select
    parted.date_on,
    parted.year,
    parted.quarter,
    parted.year || ' Q' || parted.quarter as quarter_name,
    parted.month,
    parted.year * 100 + parted.month as month_number,
    to_char(parted.date_on, 'FMMonth') as month_name,
    date_trunc('month', parted.date_on)::date as month_from_on,
    (date_trunc('month', parted.date_on) + interval '1 month - 1 day')::date as month_to_on,
    date_trunc('week', parted.date_on)::date as week_from_on,
    parted.weekday,
    to_char(parted.date_on, 'FMDay') as weekday_name,
    parted.academic_year_ends - 1 || '/' || lpad((parted.academic_year_ends % 100)::text, 2, '0') as academic_year,
    parted.financial_year_begins || '/' || lpad(((parted.financial_year_begins + 1) % 100)::text, 2, '0') as financial_year,
    parted.weekday > 5 as is_weekend,
    working.is_working_day,
    parted.date_on = {{ as_of() }} as is_as_of,
    (parted.year * 12 + parted.month)
    - extract(year from {{ as_of() }})::integer * 12 - extract(month from {{ as_of() }})::integer as months_from_as_of
from parted
left join {{ ref('int_working_day') }} as working
    on parted.date_on = working.day_on
order by parted.date_on
