-- One exclusion per child, day and category, however many schools and censuses report it: as the first that did. Where its own provision
-- for SEN is blank, that of the pupil's row stands.
select distinct on (enrolment.person_id, exclusion.started_on, category.category)
    enrolment.person_id,
    exclusion.started_on,
    category.category,
    kind.is_suspension,
    kind.is_permanent,
    coalesce(exclusion.sen_provision, enrolment.sen_provision) as sen_provision,
    exclusion.reason,
    exclusion.sessions,
    enrolment.urn
from {{ ref('stg_school_census__exclusion') }} as exclusion
inner join {{ ref('int_enrolment__registered') }} as enrolment
    on
        exclusion._delivery_id = enrolment._delivery_id
        and exclusion.census_pupil_id = enrolment.census_pupil_id
inner join {{ ref('exclusion_categories') }} as category
    on exclusion.category_source = category.category_source
inner join {{ ref('exclusion_categories') }} as kind
    on category.category = kind.category_source
where exclusion.started_on <= {{ as_of() }}
order by
    enrolment.person_id asc,
    exclusion.started_on asc,
    category.category asc,
    enrolment.reference_on asc,
    exclusion._delivery_id asc,
    exclusion._row_number asc
