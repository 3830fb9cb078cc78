-- An episode is as the latest return that has it says: an older return cannot know that it was closed since.
with episode as (
    select
        child.person_id,
        episode.referred_on as started_on,
        case when episode.is_no_further_action then episode.referred_on else episode.closed_on end as ended_on,
        child.reference_on,
        'child_in_need' as involvement
    from {{ ref('stg_cin_census__episode') }} as episode
    inner join {{ ref('stg_cin_census__child') }} as child
        on
            episode._delivery_id = child._delivery_id
            and episode.cin_child_id = child.cin_child_id
    union all
    select
        child.person_id,
        plan.started_on,
        plan.ended_on,
        child.reference_on,
        'child_protection' as involvement
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
        episode.started_on,
        episode.ended_on,
        episode.reference_on,
        'looked_after' as involvement
    from {{ ref('stg_ssda903__episode') }} as episode
),

latest as (
    select
        episode.*,
        rank() over (
            partition by episode.person_id, episode.involvement, episode.started_on
            order by episode.reference_on desc nulls last
        ) as age_of_return
    from episode
)

select
    latest.person_id,
    bool_or(latest.involvement = 'looked_after') as is_looked_after,
    bool_or(latest.involvement = 'child_protection') as has_child_protection_plan,
    bool_or(latest.involvement = 'child_in_need') as is_child_in_need,
    case
        when bool_or(latest.involvement = 'looked_after') then 'looked after children'
        when bool_or(latest.involvement = 'child_protection') then 'child protection'
        else 'children in need'
    end as team
from latest
where
    latest.age_of_return = 1
    and latest.person_id is not null
    and {{ is_open('latest.started_on', 'latest.ended_on', as_of()) }}
group by latest.person_id
