-- Every day that the bank holidays are known for, with the number of the last working day up to it: the working day n days on has
-- the number of the first day and n. A weekend or holiday has the number of the working day before it.
with known as (
    select
        date_trunc('year', min(holiday.holiday_on))::date as first_on,
        (date_trunc('year', max(holiday.holiday_on)) + interval '1 year')::date as end_on
    from {{ ref('bank_holidays') }} as holiday
),

dated as (
    select known.first_on + series.number as day_on
    from known
    cross join lateral generate_series(0, known.end_on - known.first_on - 1) as series (number)
),

judged as (
    select
        dated.day_on,
        extract(isodow from dated.day_on) < 6 and holiday.holiday_on is null as is_working_day
    from dated
    left join {{ ref('bank_holidays') }} as holiday
        on dated.day_on = holiday.holiday_on
)

select
    judged.day_on,
    judged.is_working_day,
    (count(*) filter (where judged.is_working_day) over (order by judged.day_on))::integer as working_day_number
from judged
