select distinct on (activity.orgidprov, activity.careactid)
    activity.careactid as care_activity_id,
    activity.carecontactid as care_contact_id,
    activity.orgidprov as provider_code,
    {{ code('activity.procedure') }} as procedure_code,
    activity._delivery_id,
    activity._row_number
from {{ source('raw_icb', 'mhsds__mhs202careactivity') }} as activity
where activity._delivery_id in {{ manifest() }}
order by
    activity.orgidprov asc,
    activity.careactid asc,
    activity.effective_from desc nulls last,
    activity.reportingperiodenddate desc nulls last,
    activity._delivery_id asc,
    activity._row_number desc
