select
    episode.cindetailstableid as cin_episode_id,
    episode.childtableid as cin_child_id,
    episode.cinreferraldate as referred_on,
    episode.cinclosuredate as closed_on,
    coalesce(episode.referralnfa, false) as is_no_further_action,
    episode._delivery_id,
    episode._row_number
from {{ source('raw_council', 'cin_census__cindetails') }} as episode
where episode._delivery_id in {{ manifest() }}
