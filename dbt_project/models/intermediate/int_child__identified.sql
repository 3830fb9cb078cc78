-- Who the child is: from SEN2 for a child with a plan, value by value from the census where SEN2 is silent.
with sen2_person as (
    select distinct on (person.person_id) person.*
    from {{ ref('stg_sen2__person') }} as person
    where person.person_id is not null
    order by
        person.person_id asc,
        person.reference_on desc nulls last,
        person._delivery_id asc,
        person._row_number asc
),

merged as (
    select
        child.person_id,
        child.list_number,
        case
            when settled.person_id is not null then settled.upn
            else coalesce(person.upn, enrolment.upn)
        end as upn,
        coalesce(person.uln, enrolment.uln) as uln,
        coalesce(person.date_of_birth_on, enrolment.date_of_birth_on) as date_of_birth_on,
        coalesce(person.gender_source, enrolment.gender_source) as gender_source,
        coalesce(person.ethnicity_source, enrolment.ethnicity_source) as ethnicity_source,
        coalesce(person.postcode, enrolment.postcode) as postcode,
        coalesce(enrolment.is_pupil_premium, false) as is_pupil_premium
    from {{ ref('int_child__listed') }} as child
    left join sen2_person as person
        on
            child.person_id = person.person_id
            and child.list_number = 1
    left join {{ ref('int_enrolment__ranked') }} as enrolment
        on
            child.person_id = enrolment.person_id
            and enrolment.preference is not null
            and enrolment.recency = 1
    left join {{ ref('int_upn__settled') }} as settled
        on child.person_id = settled.person_id
),

district as (
    select distinct on (directory.postcode)
        directory.postcode,
        directory.district_code
    from {{ ref('stg_postcode_lookup__postcode') }} as directory
    where directory.postcode in (select home.postcode from merged as home)
    order by directory.postcode asc, directory._row_number asc
)

select
    merged.person_id,
    merged.list_number,
    merged.upn,
    merged.uln,
    merged.date_of_birth_on,
    {{ age_at('merged.date_of_birth_on', as_of()) }} as age_years,
    coalesce(gender.gender, 'U') as gender,
    case when merged.ethnicity_source is not null then coalesce(ethnicity.ethnicity, 'UNKNOWN') end as ethnicity,
    district.district_code,
    merged.is_pupil_premium
from merged
left join {{ ref('gender_codes') }} as gender
    on merged.gender_source = gender.gender_source
left join {{ ref('ethnicity_codes') }} as ethnicity
    on merged.ethnicity_source = ethnicity.ethnicity
left join district
    on merged.postcode = district.postcode
