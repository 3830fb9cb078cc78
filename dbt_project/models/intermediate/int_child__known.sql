-- A pupil without SEN whom only the census knows is nobody's business here.
with known as (
    select record.person_id
    from {{ ref('stg_identity__record') }} as record
    where
        record.person_id is not null
        and record.table_name <> 'school_census__pupilonroll'
    union
    select enrolment.person_id
    from {{ ref('int_enrolment__registered') }} as enrolment
),

record as (
    select record.*
    from {{ ref('stg_identity__record') }} as record
    where record.person_id in (select known.person_id from known)
),

born as (
    select distinct on (said.person_id)
        said.person_id,
        said.born_on
    from (
        select
            record.person_id,
            record.born_on,
            count(*) as records
        from record
        where record.born_on is not null
        group by record.person_id, record.born_on
    ) as said
    order by said.person_id asc, said.records desc, said.born_on asc
),

sexed as (
    select distinct on (said.person_id)
        said.person_id,
        said.sex
    from (
        select
            record.person_id,
            record.sex,
            count(*) as records
        from record
        where record.sex is not null
        group by record.person_id, record.sex
    ) as said
    order by said.person_id asc, said.records desc, said.sex asc
),

home as (
    select distinct on (record.person_id)
        record.person_id,
        record.postcode
    from record
    where record.postcode is not null
    order by
        record.person_id asc,
        record.reference_on desc nulls last,
        record._delivery_id asc,
        record.table_name asc,
        record._row_number asc
),

district as (
    select distinct on (directory.postcode)
        directory.postcode,
        directory.district_code
    from {{ ref('stg_postcode_lookup__postcode') }} as directory
    where directory.postcode in (select home.postcode from home)
    order by directory.postcode asc, directory._row_number asc
)

select
    known.person_id,
    born.born_on,
    sexed.sex,
    district.district_code
from known
left join born
    on known.person_id = born.person_id
left join sexed
    on known.person_id = sexed.person_id
left join home
    on known.person_id = home.person_id
left join district
    on home.postcode = district.postcode
