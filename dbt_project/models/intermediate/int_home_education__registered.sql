select distinct entry.person_id
from {{ ref('int_home_education__entered') }} as entry
where {{ is_open('entry.started_on', 'entry.ended_on', as_of()) }}
