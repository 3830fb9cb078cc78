select
    assessment.assessmenttableid as sen2_assessment_id,
    assessment.requeststableid as sen2_request_id,
    {{ code('assessment.assessmentoutcome') }} as outcome,
    assessment.assessmentoutcomedate as outcome_on,
    assessment.assessmentmediation as has_mediation,
    assessment.assessmenttribunal as has_appeal,
    assessment.othermediation as has_other_mediation,
    assessment.othertribunal as has_other_appeal,
    coalesce(assessment.week20, false) as has_exception,
    assessment.week20 as has_exception_as_sent,
    assessment._delivery_id,
    assessment._row_number
from {{ source('raw_council', 'sen2__assessment') }} as assessment
where assessment._delivery_id in {{ manifest() }}
