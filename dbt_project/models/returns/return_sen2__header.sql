-- The collection and what the council says of itself; who made the file is the renderer's to say.
select
    '{{ var("partnership") }}'::text as partnership,
    1 as sen2tableid,
    header.collection,
    header.collection_year as year,
    header.reference_on as referencedate,
    header.source_level as sourcelevel,
    header.council_number as lea,
    header.has_medical_officer as dmo,
    header.has_clinical_officer as dco,
    header.has_social_care_officer as dsco
from {{ ref('stg_sen2__header') }} as header
where
    header._delivery_id in (select returned._delivery_id from {{ ref('int_sen2__returned') }} as returned)
order by header._row_number
limit 1
