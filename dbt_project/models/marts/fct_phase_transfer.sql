select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (partition by child.child_key order by clock.due_on asc, clock.clock asc, clock.subject_id asc))::integer
        as transfer_number,
    case clock.clock when 'CLK13' then 'phase' when 'CLK14' then 'post16' else 'between_post16' end as transfer_kind,
    extract(year from clock.started_on)::integer as transfer_year,
    clock.due_on,
    clock.stopped_on as final_on,
    {{ clock_outcome('clock.due_on', 'clock.stopped_on', 'clock.is_exempt') }} as outcome
from {{ ref('int_clock__casework') }} as clock
inner join {{ ref('int_child__keyed') }} as child
    on clock.person_id = child.person_id
where clock.clock in ('CLK13', 'CLK14', 'CLK15')
