select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (
        row_number() over (
            partition by child.child_key
            order by coalesce(review.meeting_on, clock.due_on) asc nulls last, review.review_id asc
        )
    )::integer as review_number,
    review.review_kind,
    review.started_on as counted_from_on,
    clock.due_on,
    review.invited_on,
    review.meeting_on,
    review.report_received_on,
    review.participation,
    review.decided_on,
    review.outcome,
    review.draft_on,
    review.amended_final_on
from {{ ref('int_annual_review__dated') }} as review
inner join {{ ref('int_child__keyed') }} as child
    on review.person_id = child.person_id
left join {{ ref('int_clock__casework') }} as clock
    on
        review.review_id = clock.subject_id
        and clock.clock = 'CLK06'
