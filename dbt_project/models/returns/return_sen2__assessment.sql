select
    '{{ var("partnership") }}'::text as partnership,
    returned.person_id,
    returned.number as assessmenttableid,
    returned.parent_number as requeststableid,
    assessment.outcome as assessmentoutcome,
    assessment.outcome_on as assessmentoutcomedate,
    assessment.has_mediation as assessmentmediation,
    assessment.has_appeal as assessmenttribunal,
    assessment.has_other_mediation as othermediation,
    assessment.has_other_appeal as othertribunal,
    assessment.has_exception_as_sent as week20
from {{ ref('int_sen2__returned') }} as returned
inner join {{ ref('stg_sen2__assessment') }} as assessment
    on
        returned._delivery_id = assessment._delivery_id
        and returned._row_number = assessment._row_number
where returned.record = 'assessment'
order by returned.number
