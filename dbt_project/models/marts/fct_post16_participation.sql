select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    (row_number() over (
        partition by spell.person_id
        order by spell.started_on asc nulls first, spell.activity asc, spell._delivery_id asc, spell._row_number asc
    ))::integer as spell_number,
    spell.activity,
    spell.started_on,
    spell.ended_on,
    spell.confirmed_on,
    spell.urn as establishment_urn,
    spell.ukprn
from {{ ref('stg_post16__participation') }} as spell
inner join {{ ref('int_child__keyed') }} as child
    on spell.person_id = child.person_id
