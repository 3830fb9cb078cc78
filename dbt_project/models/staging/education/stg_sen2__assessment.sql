select
    assessment.assessmenttableid as sen2_assessment_id,
    assessment.requeststableid as sen2_request_id,
    {{ code('assessment.assessmentoutcome') }} as outcome,
    assessment.assessmentoutcomedate as outcome_on,
    coalesce(assessment.week20, false) as has_exception,
    assessment._delivery_id,
    assessment._row_number
from {{ source('raw_council', 'sen2__assessment') }} as assessment
where assessment._delivery_id in {{ manifest() }}
