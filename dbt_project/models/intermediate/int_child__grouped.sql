-- What is known of a child on the reporting date decides the groups, also those of what was counted before.
select
    known.person_id,
    coalesce(listed.gender, known.sex, 'U') as sex,
    coalesce(ethnicity.ethnicity_group, 'unknown') as ethnicity_group,
    listed.primary_need,
    listed.main_establishment_phase as phase,
    coalesce(listed.district_code, known.district_code) as district_code,
    coalesce(care.is_looked_after, false) as is_looked_after,
    placement.placement_type
from {{ ref('int_child__known') }} as known
left join {{ ref('int_child__joined') }} as listed
    on known.person_id = listed.person_id
left join {{ ref('ethnicity_codes') }} as ethnicity
    on listed.ethnicity = ethnicity.ethnicity
left join {{ ref('int_social_care__involved') }} as care
    on known.person_id = care.person_id
left join {{ ref('int_placement__current') }} as placement
    on known.person_id = placement.person_id
