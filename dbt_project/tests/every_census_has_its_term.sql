-- Without a term the census's sessions would be left out of absence without a word: extend the seed census_terms.
select census._delivery_id
from {{ ref('int_census__dated') }} as census
where census.attendance_from_on is null
