select
    '{{ var("partnership") }}'::text as partnership,
    child.person_id,
    child.person_id as unique_id,
    child.upn,
    child.uln,
    child.date_of_birth_on,
    gender_wording.wording as gender,
    ethnicity_wording.wording as ethnicity,
    sen_primary_need_wording.wording as sen_primary_need,
    child.main_establishment_urn,
    main_establishment_phase_wording.wording as main_establishment_phase,
    subsidiary_establishment_phase_wording.wording as subsidiary_establishment_phase,
    child.suspensions,
    child.permanent_exclusions,
    child.absence_pct,
    pupil_premium_wording.wording as pupil_premium,
    known_to_social_care_wording.wording as known_to_social_care,
    child.social_care_team,
    disability_wording.wording as disability
from {{ ref('int_child__joined') }} as child
{{ join_wording('List_2', 'gender', 'child.gender') }}
{{ join_wording('List_2', 'ethnicity', 'child.ethnicity') }}
{{ join_wording('List_2', 'sen_primary_need', 'child.primary_need') }}
{{ join_wording('List_2', 'main_establishment_phase', 'child.main_establishment_phase') }}
{{ join_wording('List_2', 'subsidiary_establishment_phase', 'child.subsidiary_establishment_phase') }}
{{ join_wording('List_2', 'pupil_premium', yes_no('child.is_pupil_premium')) }}
{{ join_wording('List_2', 'known_to_social_care', yes_no('child.is_known_to_social_care')) }}
{{ join_wording('List_2', 'disability', yes_no('child.has_disability')) }}
where child.list_number = 2
order by child.person_id
