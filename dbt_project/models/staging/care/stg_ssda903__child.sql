-- A child in care is linked by its header row; one without a header row, by an episode.
with linked as (
    select
        header.child,
        header._delivery_id,
        header._row_number,
        link.person_id,
        1 as preference
    from {{ source('raw_council', 'ssda903__header') }} as header
    left join {{ source('identity', 'link') }} as link
        on
            header._delivery_id = link.delivery_id
            and header._row_number = link.row_number
            and link.table_name = 'ssda903__header'
    where header._delivery_id in {{ manifest() }}
    union all
    select
        episode.child,
        episode._delivery_id,
        episode._row_number,
        link.person_id,
        2 as preference
    from {{ source('raw_council', 'ssda903__episodes') }} as episode
    inner join {{ source('identity', 'link') }} as link
        on
            episode._delivery_id = link.delivery_id
            and episode._row_number = link.row_number
            and link.table_name = 'ssda903__episodes'
    where episode._delivery_id in {{ manifest() }}
)

select distinct on (linked._delivery_id, linked.child)
    linked.child as council_person_id,
    linked._delivery_id,
    linked._row_number,
    linked.person_id
from linked
order by linked._delivery_id, linked.child, linked.preference, linked._row_number
