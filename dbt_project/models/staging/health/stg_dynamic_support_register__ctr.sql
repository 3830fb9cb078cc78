-- Each month's register has the review again; the latest says what became of it.
select distinct on (review.ctr_id)
    review.ctr_id,
    review.register_id,
    review.kind,
    review.place,
    review.requested_on,
    review.held_on,
    review.is_admission_advised,
    delivery.reference_on,
    review._delivery_id,
    review._row_number
from {{ source('raw_icb', 'dynamic_support_register__ctr') }} as review
inner join {{ source('landing', 'delivery') }} as delivery
    on review._delivery_id = delivery.delivery_id
where review._delivery_id in {{ manifest() }}
order by
    review.ctr_id asc,
    delivery.reference_on desc nulls last,
    review._delivery_id asc,
    review._row_number desc
