select distinct on (contact.orgidprov, contact.carecontactid)
    contact.carecontactid as care_contact_id,
    contact.servicerequestid as referral_id,
    contact.orgidprov as provider_code,
    contact.carecontdate as contact_on,
    {{ code('contact.consmechanismmh') }} as medium,
    {{ code('contact.attendstatus') }} as attendance,
    contact._delivery_id,
    contact._row_number
from {{ source('raw_icb', 'mhsds__mhs201carecontact') }} as contact
where contact._delivery_id in {{ manifest() }}
order by
    contact.orgidprov asc,
    contact.carecontactid asc,
    contact.effective_from desc nulls last,
    contact.reportingperiodenddate desc nulls last,
    contact._delivery_id asc,
    contact._row_number desc
