-- The row with the latest effective-from date is what a referral came to.
select distinct on (referral.orgidprov, referral.servicerequestid)
    referral.servicerequestid as referral_id,
    referral.localpatientid as local_patient_id,
    referral.orgidprov as provider_code,
    referral.referralrequestreceiveddate as received_on,
    referral.servdischdate as discharged_on,
    referral.referrejectiondate as rejected_on,
    {{ code('referral.clinrespprioritytype') }} as priority,
    {{ code('referral.primreasonreferralmh') }} as primary_reason,
    {{ code('referral.servteamtype') }} as team_type,
    referral.reportingperiodenddate as submitted_to_on,
    {{ is_pseudonymised('referral', 'mhsds__mhs001mpi', 'nhsnumber') }} as is_pseudonymised,
    referral._delivery_id,
    referral._row_number
from {{ source('raw_icb', 'mhsds__mhs101referral') }} as referral
where referral._delivery_id in {{ manifest() }}
order by
    referral.orgidprov asc,
    referral.servicerequestid asc,
    referral.effective_from desc nulls last,
    referral.reportingperiodenddate desc nulls last,
    referral._delivery_id asc,
    referral._row_number desc
