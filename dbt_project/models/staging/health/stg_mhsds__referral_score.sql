-- A tool may be filled in several times under a referral.
select distinct on (score.orgidprov, score.servicerequestid, score.codedasstooltype, score.asstoolcomptimestamp)
    score.servicerequestid as referral_id,
    score.orgidprov as provider_code,
    {{ code('score.codedasstooltype') }} as tool_code,
    score.persscore is not null as has_score,
    score.asstoolcomptimestamp::date as scored_on,
    score._delivery_id,
    score._row_number
from {{ source('raw_icb', 'mhsds__mhs606codedscoreassessmentrefer') }} as score
where score._delivery_id in {{ manifest() }}
order by
    score.orgidprov asc,
    score.servicerequestid asc,
    score.codedasstooltype asc,
    score.asstoolcomptimestamp asc,
    score.effective_from desc nulls last,
    score.reportingperiodenddate desc nulls last,
    score._delivery_id asc,
    score._row_number desc
