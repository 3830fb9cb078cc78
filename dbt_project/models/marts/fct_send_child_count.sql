select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    case child.list_number when 1 then 'EHC plan' else 'SEN support' end as provision,
    coalesce(child.primary_need, 'not recorded') as primary_need,
    coalesce(child.main_establishment_phase, 'not recorded') as establishment_phase,
    coalesce(child.main_establishment_district, 'not recorded') as establishment_district,
    count(*)::integer as children,
    (count(*) filter (where child.is_known_to_social_care))::integer as children_known_to_social_care,
    (count(*) filter (where child.open_health_referrals > 0))::integer as children_with_open_health_referral
from {{ ref('int_child__joined') }} as child
group by
    child.list_number,
    child.primary_need,
    child.main_establishment_phase,
    child.main_establishment_district
