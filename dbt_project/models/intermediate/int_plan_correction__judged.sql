select
    correction.correction_id,
    request.person_id,
    correction.plan_stage,
    correction.section,
    correction.reported_on,
    correction.reported_by,
    correction.decision,
    correction.decided_on,
    correction.is_refusal_explained,
    -- A flag that nobody has set yet is no answer.
    case
        when correction.plan_stage = 'draft' and (plan.plan_id is null or plan.final_on is not null) then correction.is_in_final
    end as is_in_final,
    correction.reissued_on,
    -- What is reported in a draft after the time to comment is no comment on it.
    coalesce(correction.reported_on <= plan.draft_on + comment_time.limit_number, true) as is_in_comment_time,
    correction.reported_on + standard.limit_number as reissue_due_on
from {{ ref('stg_ehc_casework__correction') }} as correction
inner join {{ ref('service_standards') }} as standard
    on standard.measure = 'Q06'
left join {{ ref('stg_ehc_casework__plan') }} as plan
    on correction.plan_id = plan.plan_id
left join {{ ref('stg_ehc_casework__case') }} as request
    on plan.case_id = request.case_id
left join {{ ref('clock_parameters') }} as comment_time
    on
        comment_time.clock = 'CLK04'
        and plan.draft_on between comment_time.in_force_from_on and coalesce(comment_time.in_force_to_on, plan.draft_on)
