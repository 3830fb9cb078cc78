-- One exclusion per child, day and category, however many schools and censuses report it.
with counted as (
    select distinct
        enrolment.person_id,
        exclusion.started_on,
        category.category,
        category.is_suspension,
        category.is_permanent
    from {{ ref('stg_school_census__exclusion') }} as exclusion
    inner join {{ ref('int_enrolment__ranked') }} as enrolment
        on
            exclusion._delivery_id = enrolment._delivery_id
            and exclusion.census_pupil_id = enrolment.census_pupil_id
    inner join {{ ref('exclusion_categories') }} as category
        on exclusion.category_source = category.category_source
    where
        exclusion.started_on > {{ months_before(6, as_of()) }}
        and exclusion.started_on <= {{ as_of() }}
)

select
    child.person_id,
    (count(*) filter (where counted.is_suspension))::integer as suspensions,
    (count(*) filter (where counted.is_permanent))::integer as permanent_exclusions
from {{ ref('int_child__listed') }} as child
left join counted
    on child.person_id = counted.person_id
group by child.person_id
