select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    wait.snapshot_on,
    wait.data_set,
    wait.provider_code,
    wait.service,
    wait.referral_number,
    wait.district_code,
    wait.pathway,
    wait.days_waited,
    wait.waiting_band,
    wait.waiting_band_position,
    wait.snapshot_on > clock.due_on as is_past_limit
from {{ ref('int_health_wait') }} as wait
inner join {{ ref('int_child__keyed') }} as child
    on wait.person_id = child.person_id
left join {{ ref('int_clock__health') }} as clock
    on
        wait.referral_key = clock.subject_id
        and clock.clock = 'CLK27'
where wait.is_waiting
