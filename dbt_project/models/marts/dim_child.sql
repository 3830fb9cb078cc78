-- In the order of the pseudonyms: that of the lists would tell who is who.
select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    pseudonym.child_key,
    pseudonym.key_id,
    date_trunc('month', coalesce(listed.date_of_birth_on, known.born_on))::date as birth_month_on,
    {{ age_at("date_trunc('month', coalesce(listed.date_of_birth_on, known.born_on))", as_of()) }} as age_years,
    grouped.sex,
    listed.ethnicity,
    grouped.ethnicity_group,
    grouped.district_code,
    district.district_name,
    grouped.primary_need,
    listed.main_establishment_urn as establishment_urn,
    establishment.establishment_name,
    grouped.phase,
    grouped.placement_type,
    grouped.is_looked_after,
    coalesce(care.has_child_protection_plan, false) as has_child_protection_plan,
    coalesce(care.is_child_in_need, false) as is_child_in_need,
    coalesce(listed.list_number = 1, false) as has_plan,
    coalesce(listed.list_number = 2, false) as has_sen_support
from {{ ref('int_child__known') }} as known
inner join {{ ref('int_child__grouped') }} as grouped
    on known.person_id = grouped.person_id
left join {{ ref('int_child__keyed') }} as pseudonym
    on known.person_id = pseudonym.person_id
left join {{ ref('int_child__joined') }} as listed
    on known.person_id = listed.person_id
left join {{ ref('int_social_care__involved') }} as care
    on known.person_id = care.person_id
left join {{ ref('dim_district') }} as district
    on grouped.district_code = district.district_code
left join {{ ref('dim_establishment') }} as establishment
    on listed.main_establishment_urn = establishment.establishment_urn
order by pseudonym.child_key
