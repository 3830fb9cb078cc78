select distinct on (score.orgidprov, score.careactid, score.codedasstooltype)
    score.careactid as care_activity_id,
    score.orgidprov as provider_code,
    {{ code('score.codedasstooltype') }} as tool_code,
    score.persscore is not null as has_score,
    score._delivery_id,
    score._row_number
from {{ source('raw_icb', 'mhsds__mhs607codedscoreassessmentact') }} as score
where score._delivery_id in {{ manifest() }}
order by
    score.orgidprov asc,
    score.careactid asc,
    score.codedasstooltype asc,
    score.effective_from desc nulls last,
    score.reportingperiodenddate desc nulls last,
    score._delivery_id asc,
    score._row_number desc
