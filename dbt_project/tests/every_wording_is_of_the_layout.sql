-- A house code that the layout in force has no wording for would leave a blank in the list.
select child.person_id
from {{ ref('int_child__joined') }} as child
left join {{ ref('return_annex_a__list_1') }} as list_1
    on child.person_id = list_1.person_id
left join {{ ref('return_annex_a__list_2') }} as list_2
    on child.person_id = list_2.person_id
where
    coalesce(list_1.gender, list_2.gender) is null
    or (child.ethnicity is not null and coalesce(list_1.ethnicity, list_2.ethnicity) is null)
    or (child.primary_need is not null and coalesce(list_1.sen_primary_need, list_2.sen_primary_need) is null)
    or (
        child.main_establishment_phase is not null
        and coalesce(list_1.main_establishment_phase, list_2.main_establishment_phase) is null
    )
    or (
        child.subsidiary_establishment_phase is not null
        and coalesce(list_1.subsidiary_establishment_phase, list_2.subsidiary_establishment_phase) is null
    )
    or coalesce(list_1.pupil_premium, list_2.pupil_premium) is null
    or coalesce(list_1.known_to_social_care, list_2.known_to_social_care) is null
    or coalesce(list_1.disability, list_2.disability) is null
    or (child.list_number = 1 and list_1.elective_home_education is null)
