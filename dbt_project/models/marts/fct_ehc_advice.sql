select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (partition by child.child_key order by advice.requested_on asc, advice.advice_id asc))::integer as advice_number,
    advice.advice_body,
    advice.provider as provider_code,
    advice.requested_on,
    clock.due_on,
    clock.stopped_on as received_on,
    advice.is_required,
    clock.exemption,
    {{ clock_outcome('clock.due_on', 'clock.stopped_on', 'clock.is_exempt') }} as outcome
from {{ ref('int_clock__casework') }} as clock
inner join {{ ref('stg_ehc_casework__advice') }} as advice
    on clock.subject_id = advice.advice_id
inner join {{ ref('int_child__keyed') }} as child
    on clock.person_id = child.person_id
where clock.clock = 'CLK02'
