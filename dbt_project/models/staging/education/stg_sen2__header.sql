select
    header.sen2tableid as sen2_header_id,
    {{ code('header.collection') }} as collection,
    header.year as collection_year,
    header.referencedate as reference_on,
    {{ code('header.sourcelevel') }} as source_level,
    {{ code('header.lea') }} as council_number,
    header.dmo as has_medical_officer,
    header.dco as has_clinical_officer,
    header.dsco as has_social_care_officer,
    header._delivery_id,
    header._row_number
from {{ source('raw_council', 'sen2__sen2') }} as header
where header._delivery_id in {{ manifest() }}
