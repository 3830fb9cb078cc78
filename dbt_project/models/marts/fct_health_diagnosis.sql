select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    diagnosis.data_set,
    diagnosis.provider_code,
    diagnosis.service,
    diagnosis.referral_number,
    diagnosis.district_code,
    diagnosis.pathway,
    diagnosis.condition,
    diagnosis.received_on,
    diagnosis.diagnosed_on,
    diagnosis.diagnosed_on - diagnosis.received_on as days_to_diagnosis
from {{ ref('int_health_diagnosis') }} as diagnosis
inner join {{ ref('int_child__keyed') }} as child
    on diagnosis.person_id = child.person_id
