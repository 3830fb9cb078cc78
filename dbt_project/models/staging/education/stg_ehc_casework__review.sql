-- Each month's extract has the review again; the latest says what became of it.
select distinct on (review.review_id)
    review.review_id,
    review.plan_id,
    review.review_kind,
    review.due_on,
    review.invited_on,
    review.meeting_on,
    review.report_received_on,
    review.participation,
    review.decided_on,
    {{ code('review.review_outcome') }} as outcome,
    review.draft_on,
    review.amended_final_on,
    delivery.reference_on,
    review._delivery_id,
    review._row_number
from {{ source('raw_council', 'ehc_casework__review') }} as review
inner join {{ source('landing', 'delivery') }} as delivery
    on review._delivery_id = delivery.delivery_id
where review._delivery_id in {{ manifest() }}
order by
    review.review_id asc,
    delivery.reference_on desc nulls last,
    review._delivery_id asc,
    review._row_number desc
