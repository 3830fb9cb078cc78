-- Education, health and care in one row per listed child, in house codes.
with health as (
    select
        referral.person_id,
        count(*)::integer as open_health_referrals,
        (count(*) filter (where referral.is_waiting))::integer as waiting_health_referrals
    from {{ ref('int_health_referral__open') }} as referral
    group by referral.person_id
),

reviewed as (
    select
        plan.person_id,
        max(plan.last_reviewed_on) as last_reviewed_on
    from {{ ref('int_plan__reviewed') }} as plan
    group by plan.person_id
),

school as (
    select
        child.person_id,
        coalesce(placement.urn, enrolment.main_urn) as main_urn,
        enrolment.subsidiary_urn,
        coalesce(placement.sen_setting = 'EHE', false) as is_placed_at_home
    from {{ ref('int_child__listed') }} as child
    left join {{ ref('int_placement__current') }} as placement
        on
            child.person_id = placement.person_id
            and child.list_number = 1
    left join {{ ref('int_enrolment__current') }} as enrolment
        on child.person_id = enrolment.person_id
)

select
    child.person_id,
    child.list_number,
    child.upn,
    child.uln,
    child.date_of_birth_on,
    child.age_years,
    child.gender,
    child.ethnicity,
    child.district_code,
    issued.initial_plan_issued_on,
    case when plan.started_on > issued.initial_plan_issued_on then plan.started_on end as updated_plan_issued_on,
    reviewed.last_reviewed_on as plan_last_reviewed_on,
    need.primary_need,
    school.main_urn as main_establishment_urn,
    main.phase as main_establishment_phase,
    main.district as main_establishment_district,
    subsidiary.phase as subsidiary_establishment_phase,
    school.is_placed_at_home or home.person_id is not null as is_home_educated,
    exclusion.suspensions,
    exclusion.permanent_exclusions,
    absence.absence_pct,
    child.is_pupil_premium,
    care.person_id is not null as is_known_to_social_care,
    care.team as social_care_team,
    disability.has_disability,
    coalesce(health.open_health_referrals, 0) as open_health_referrals,
    coalesce(health.waiting_health_referrals, 0) as waiting_health_referrals
from {{ ref('int_child__identified') }} as child
left join {{ ref('int_plan__active') }} as plan
    on child.person_id = plan.person_id
left join {{ ref('int_plan__issued') }} as issued
    on plan.person_id = issued.person_id
left join reviewed
    on plan.person_id = reviewed.person_id
left join {{ ref('int_need__primary') }} as need
    on child.person_id = need.person_id
left join school
    on child.person_id = school.person_id
left join {{ ref('int_establishment__phased') }} as main
    on school.main_urn = main.urn
left join {{ ref('int_establishment__phased') }} as subsidiary
    on school.subsidiary_urn = subsidiary.urn
left join {{ ref('int_home_education__registered') }} as home
    on child.person_id = home.person_id
left join {{ ref('int_exclusion__counted') }} as exclusion
    on child.person_id = exclusion.person_id
left join {{ ref('int_absence__measured') }} as absence
    on child.person_id = absence.person_id
left join {{ ref('int_social_care__involved') }} as care
    on child.person_id = care.person_id
left join {{ ref('int_disability__identified') }} as disability
    on child.person_id = disability.person_id
left join health
    on child.person_id = health.person_id
