select
    episode.person_id,
    bool_or(episode.involvement = 'looked_after') as is_looked_after,
    bool_or(episode.involvement = 'child_protection') as has_child_protection_plan,
    bool_or(episode.involvement = 'child_in_need') as is_child_in_need,
    case
        when bool_or(episode.involvement = 'looked_after') then 'looked after children'
        when bool_or(episode.involvement = 'child_protection') then 'child protection'
        else 'children in need'
    end as team
from {{ ref('int_social_care__episode') }} as episode
where {{ is_open('episode.started_on', 'episode.ended_on', as_of()) }}
group by episode.person_id
