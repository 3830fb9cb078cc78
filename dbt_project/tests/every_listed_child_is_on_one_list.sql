-- The two lists together are the listed children, each once.
with returned as (
    select list_1.person_id
    from {{ ref('return_annex_a__list_1') }} as list_1
    union all
    select list_2.person_id
    from {{ ref('return_annex_a__list_2') }} as list_2
)

select coalesce(listed.person_id, returned.person_id) as person_id
from {{ ref('int_child__listed') }} as listed
full join returned
    on listed.person_id = returned.person_id
group by coalesce(listed.person_id, returned.person_id)
having count(listed.person_id) <> 1 or count(returned.person_id) <> 1
