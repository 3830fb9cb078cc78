select
    episode.child as council_person_id,
    episode.decom as started_on,
    {{ code('episode.rne') }} as new_episode_reason,
    {{ code('episode.ls') }} as legal_status,
    {{ code('episode.place') }} as placement,
    episode.dec as ended_on,
    delivery.reference_on,
    episode._delivery_id,
    episode._row_number,
    child.person_id
from {{ source('raw_council', 'ssda903__episodes') }} as episode
inner join {{ source('landing', 'delivery') }} as delivery
    on episode._delivery_id = delivery.delivery_id
left join {{ ref('stg_ssda903__child') }} as child
    on
        episode._delivery_id = child._delivery_id
        and episode.child = child.council_person_id
where episode._delivery_id in {{ manifest() }}
