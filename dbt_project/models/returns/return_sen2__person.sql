-- Of the rows of one child each value is the first that is not blank. A postcode is written with its space, however it was sent.
{%- set elements = {
    'surname': 'surname', 'forename': 'forename', 'personbirthdate': 'date_of_birth_on', 'sex': 'gender_source', 'ethnicity': 'ethnicity_source',
    'postcode': 'postcode_as_sent', 'upn': 'upn', 'uniquelearnernumber': 'uln', 'upnunknown': 'upn_unknown'
} %}
with merged as (
    select
        returned.person_id,
        returned.number,
        {% for element, said in elements.items() %}
            (array_agg(person.{{ said }} order by person._row_number) filter (where person.{{ said }} is not null))[1] as {{ element }},
        {% endfor %}
        count(*)::integer as rows_as_sent
    from {{ ref('int_sen2__returned') }} as returned
    inner join {{ ref('stg_sen2__person') }} as person
        on
            returned._delivery_id = person._delivery_id
            and returned._row_number = person._row_number
    where returned.record = 'person'
    group by returned.person_id, returned.number
)

select
    '{{ var("partnership") }}'::text as partnership,
    merged.person_id,
    merged.number as persontableid,
    1 as sen2tableid,
    merged.surname,
    merged.forename,
    merged.personbirthdate,
    merged.sex,
    merged.ethnicity,
    regexp_replace(merged.postcode, '^([A-Z]{1,2}[0-9][A-Z0-9]?) *([0-9][A-Z]{2})$', '\1 \2') as postcode,
    merged.upn,
    merged.uniquelearnernumber,
    merged.upnunknown,
    merged.rows_as_sent
from merged
order by merged.number
