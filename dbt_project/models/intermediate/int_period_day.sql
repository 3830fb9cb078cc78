select
    period.period_kind,
    period.period_from_on,
    period.period_to_on,
    period.is_headline,
    period.period_from_on + number.number as day_on
from {{ ref('int_period') }} as period
cross join lateral generate_series(0, period.period_to_on - period.period_from_on) as number (number)
