select person_id
from {{ ref('int_child__listed') }}
except
select person_id
from {{ ref('int_child__joined') }}
