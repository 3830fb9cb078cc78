-- An episode is as the latest return that has it says: an older return cannot know that it was closed since.
with episode as (
    select
        child.person_id,
        'child_in_need' as involvement,
        episode.referred_on as started_on,
        case when episode.is_no_further_action then episode.referred_on else episode.closed_on end as ended_on,
        episode.is_no_further_action,
        false as is_entry_to_care,
        episode.cin_episode_id,
        child.reference_on,
        episode._delivery_id,
        episode._row_number
    from {{ ref('stg_cin_census__episode') }} as episode
    inner join {{ ref('stg_cin_census__child') }} as child
        on
            episode._delivery_id = child._delivery_id
            and episode.cin_child_id = child.cin_child_id
    union all
    select
        child.person_id,
        'child_protection' as involvement,
        plan.started_on,
        plan.ended_on,
        false as is_no_further_action,
        false as is_entry_to_care,
        plan.cin_episode_id,
        child.reference_on,
        plan._delivery_id,
        plan._row_number
    from {{ ref('stg_cin_census__child_protection_plan') }} as plan
    inner join {{ ref('stg_cin_census__episode') }} as episode
        on
            plan._delivery_id = episode._delivery_id
            and plan.cin_episode_id = episode.cin_episode_id
    inner join {{ ref('stg_cin_census__child') }} as child
        on
            episode._delivery_id = child._delivery_id
            and episode.cin_child_id = child.cin_child_id
    union all
    select
        episode.person_id,
        'looked_after' as involvement,
        episode.started_on,
        episode.ended_on,
        false as is_no_further_action,
        coalesce(episode.new_episode_reason = 'S', false) as is_entry_to_care,
        null as cin_episode_id,
        episode.reference_on,
        episode._delivery_id,
        episode._row_number
    from {{ ref('stg_ssda903__episode') }} as episode
)

-- Of two in one return, one that goes on comes before one that ended.
select distinct on (episode.person_id, episode.involvement, episode.started_on) episode.*
from episode
where
    episode.person_id is not null
    and episode.started_on is not null
order by
    episode.person_id asc,
    episode.involvement asc,
    episode.started_on asc,
    episode.reference_on desc nulls last,
    episode.ended_on desc nulls first,
    episode._delivery_id asc,
    episode._row_number asc
