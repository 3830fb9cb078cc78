select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (partition by child.child_key order by entry.added_on asc, entry.register_id asc))::integer as entry_number,
    entry.provider_code,
    entry.is_autistic,
    entry.has_learning_disability,
    entry.rating,
    entry.added_on,
    entry.removed_on,
    entry.key_worker_on,
    entry.admitted_on,
    entry.discharged_on,
    entry.age_when_admitted,
    entry.reviews,
    entry.first_review_on,
    entry.latest_review_on
from {{ ref('int_dynamic_support') }} as entry
inner join {{ ref('int_child__keyed') }} as child
    on entry.person_id = child.person_id
