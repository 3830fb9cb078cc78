-- Estimates for a year are revised; the latest delivery of the year stands.
select distinct on (estimate.ladcode, estimate.sex, estimate.age, extract(year from delivery.reference_on))
    {{ code('estimate.ladcode') }} as district_code,
    estimate.sex,
    estimate.age as age_years,
    estimate.population,
    delivery.reference_on,
    estimate._delivery_id,
    estimate._row_number
from {{ source('raw_reference', 'population__population') }} as estimate
inner join {{ source('landing', 'delivery') }} as delivery
    on estimate._delivery_id = delivery.delivery_id
where estimate._delivery_id in {{ manifest() }}
order by
    estimate.ladcode asc,
    estimate.sex asc,
    estimate.age asc,
    extract(year from delivery.reference_on) asc,
    delivery.reference_on desc nulls last,
    estimate._delivery_id asc,
    estimate._row_number asc
