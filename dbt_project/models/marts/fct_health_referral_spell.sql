select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    spell.data_set,
    spell.provider_code,
    spell.service,
    spell.spell_number,
    spell.district_code,
    spell.is_of_help,
    spell.referrals,
    spell.started_on,
    spell.ended_on,
    spell.ended_on is null as is_open,
    spell.first_contact_on,
    spell.second_contact_on,
    spell.help_started_on,
    spell.first_contact_on - spell.started_on as days_to_first_contact,
    spell.second_contact_on - spell.started_on as days_to_second_contact,
    spell.help_started_on - spell.started_on as days_to_help
from {{ ref('int_health_spell') }} as spell
inner join {{ ref('int_child__keyed') }} as child
    on spell.person_id = child.person_id
order by child.child_key, spell.data_set, spell.provider_code, spell.service, spell.spell_number
