with review as (
    select
        review.register_id,
        count(*)::integer as reviews,
        min(review.held_on) as first_review_on,
        max(review.held_on) as latest_review_on
    from {{ ref('stg_dynamic_support_register__ctr') }} as review
    where review.held_on <= {{ as_of() }}
    group by review.register_id
)

select
    entry.register_id,
    entry.person_id,
    entry.provider_code,
    entry.is_autistic,
    entry.has_learning_disability,
    entry.rating,
    entry.rated_on,
    entry.added_on,
    case when entry.removed_on <= {{ as_of() }} then entry.removed_on end as removed_on,
    entry.key_worker_on,
    case when entry.admitted_on <= {{ as_of() }} then entry.admitted_on end as admitted_on,
    case when entry.discharged_on <= {{ as_of() }} then entry.discharged_on end as discharged_on,
    {{ age_at('entry.date_of_birth_on', 'entry.admitted_on') }} as age_when_admitted,
    review.first_review_on,
    review.latest_review_on,
    coalesce(review.reviews, 0) as reviews
from {{ ref('stg_dynamic_support_register__register') }} as entry
left join review
    on entry.register_id = review.register_id
where entry.added_on <= {{ as_of() }}
