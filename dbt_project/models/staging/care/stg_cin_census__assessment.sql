select
    assessment.assessmenttableid as cin_assessment_id,
    assessment.cindetailstableid as cin_episode_id,
    assessment.assessmentactualstartdate as started_on,
    assessment.assessmentauthorisationdate as authorised_on,
    assessment._delivery_id,
    assessment._row_number
from {{ source('raw_council', 'cin_census__assessment') }} as assessment
where assessment._delivery_id in {{ manifest() }}
