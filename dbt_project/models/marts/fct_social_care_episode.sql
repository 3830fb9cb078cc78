select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    child.child_key,
    episode.involvement,
    episode.started_on,
    episode.ended_on,
    {{ is_open('episode.started_on', 'episode.ended_on', as_of()) }} as is_open,
    episode.is_no_further_action,
    episode.is_entry_to_care
from {{ ref('int_social_care__episode') }} as episode
inner join {{ ref('int_child__keyed') }} as child
    on episode.person_id = child.person_id
