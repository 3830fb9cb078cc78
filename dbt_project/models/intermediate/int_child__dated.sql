-- What begins or ends on a day adds to or takes from what the child has; what stays the same over a day is one row.
with census as (
    select distinct
        census.reference_on,
        census.is_latest
    from {{ ref('int_census__dated') }} as census
),

enrolled as (
    select
        enrolment.person_id,
        min(enrolment.reference_on) as first_on
    from {{ ref('int_enrolment__registered') }} as enrolment
    group by enrolment.person_id
),

-- In every census since the first with SEN, because one in which a child has none ends what the one before said.
counted as (
    select
        enrolled.person_id,
        census.reference_on,
        case when enrolment.enrolment_status in ('C', 'M') then enrolment.urn end as urn,
        coalesce(enrolment.sen_provision = 'K', false) as has_sen_support,
        lead(census.reference_on) over (partition by enrolled.person_id order by census.reference_on) as next_on
    from enrolled
    inner join census
        on enrolled.first_on <= census.reference_on
    left join {{ ref('int_enrolment__registered') }} as enrolment
        on
            enrolled.person_id = enrolment.person_id
            and census.reference_on = enrolment.reference_on
            and enrolment.is_main
),

-- A placement ends when the next begins, if not before.
placement as (
    select
        first_ranked.person_id,
        first_ranked.entered_on,
        first_ranked.urn,
        first_ranked.placement_type,
        least(
            first_ranked.left_on,
            lead(first_ranked.entered_on) over (partition by first_ranked.person_id order by first_ranked.entered_on)
        ) as left_on
    from (
        select distinct on (placement.person_id, placement.entered_on) placement.*
        from {{ ref('int_placement__joined') }} as placement
        where
            placement.placement_rank = 1
            and placement.entered_on <= {{ as_of() }}
        order by
            placement.person_id asc,
            placement.entered_on asc,
            placement.left_on desc nulls first,
            placement.reference_on desc nulls last,
            placement._delivery_id asc,
            placement._row_number asc
    ) as first_ranked
),

spell as (
    select
        plan.person_id,
        'plan' as kind,
        plan.started_on,
        plan.ended_on
    from {{ ref('int_plan__dated') }} as plan
    union all
    select
        counted.person_id,
        'sen_support' as kind,
        counted.reference_on as started_on,
        counted.next_on as ended_on
    from counted
    where counted.has_sen_support
    union all
    select
        episode.person_id,
        episode.involvement as kind,
        episode.started_on,
        episode.ended_on
    from {{ ref('int_social_care__episode') }} as episode
),

event as (
    select
        spell.person_id,
        edge.day_on,
        spell.kind,
        edge.change,
        null::text as urn,
        null::text as placement_type
    from spell
    cross join
        lateral (
            values (spell.started_on, 1), (spell.ended_on, -1)
        ) as edge (day_on, change)
    where
        spell.started_on < spell.ended_on
        or spell.ended_on is null
    union all
    select
        counted.person_id,
        counted.reference_on as day_on,
        'school' as kind,
        null::integer as change,
        counted.urn,
        null::text as placement_type
    from counted
    union all
    select
        placement.person_id,
        edge.day_on,
        'placement' as kind,
        null::integer as change,
        edge.urn,
        edge.placement_type
    from placement
    cross join
        lateral (
            values
            (placement.entered_on, placement.urn, placement.placement_type),
            (placement.left_on, null::text, null::text)
        ) as edge (day_on, urn, placement_type)
    where
        placement.entered_on < placement.left_on
        or placement.left_on is null
),

day as (
    select
        event.person_id,
        event.day_on,
        coalesce(sum(event.change) filter (where event.kind = 'plan'), 0) as plan,
        coalesce(sum(event.change) filter (where event.kind = 'sen_support'), 0) as sen_support,
        coalesce(sum(event.change) filter (where event.kind = 'looked_after'), 0) as looked_after,
        coalesce(sum(event.change) filter (where event.kind = 'child_protection'), 0) as child_protection,
        coalesce(sum(event.change) filter (where event.kind = 'child_in_need'), 0) as child_in_need,
        count(*) filter (where event.kind = 'school') as schools,
        max(event.urn) filter (where event.kind = 'school') as school_urn,
        count(*) filter (where event.kind = 'placement') as placements,
        max(event.urn) filter (where event.kind = 'placement') as placement_urn,
        max(event.placement_type) filter (where event.kind = 'placement') as placement_type
    from event
    where event.day_on <= {{ as_of() }}
    group by event.person_id, event.day_on
),

added as (
    select
        day.person_id,
        day.day_on,
        day.school_urn,
        day.placement_urn,
        day.placement_type,
        sum(day.plan) over so_far > 0 as has_plan,
        sum(day.sen_support) over so_far > 0 as has_sen_support,
        sum(day.looked_after) over so_far > 0 as is_looked_after,
        sum(day.child_protection) over so_far > 0 as has_child_protection_plan,
        sum(day.child_in_need) over so_far > 0 as is_child_in_need,
        sum(day.schools) over so_far as school_number,
        sum(day.placements) over so_far as placement_number
    from day
    window so_far as (partition by day.person_id order by day.day_on)
),

state as (
    select
        added.person_id,
        added.day_on,
        added.has_plan,
        added.has_sen_support and not added.has_plan as has_sen_support,
        added.is_looked_after,
        added.has_child_protection_plan,
        added.is_child_in_need,
        first_value(added.placement_type) over of_placement as placement_type,
        coalesce(
            case when added.has_plan then first_value(added.placement_urn) over of_placement end,
            first_value(added.school_urn) over of_school
        ) as establishment_urn
    from added
    window
        of_placement as (partition by added.person_id, added.placement_number order by added.day_on),
        of_school as (partition by added.person_id, added.school_number order by added.day_on)
),

compared as (
    select
        state.*,
        row(
            state.has_plan,
            state.has_sen_support,
            state.is_looked_after,
            state.has_child_protection_plan,
            state.is_child_in_need,
            state.placement_type,
            state.establishment_urn
        ) as now,
        lag(
            row(
                state.has_plan,
                state.has_sen_support,
                state.is_looked_after,
                state.has_child_protection_plan,
                state.is_child_in_need,
                state.placement_type,
                state.establishment_urn
            )
        ) over (partition by state.person_id order by state.day_on) as before
    from state
)

select
    compared.person_id,
    compared.day_on as valid_from_on,
    lead(compared.day_on) over (partition by compared.person_id order by compared.day_on) - 1 as valid_to_on,
    compared.has_plan,
    compared.has_sen_support,
    compared.is_looked_after,
    compared.has_child_protection_plan,
    compared.is_child_in_need,
    compared.placement_type,
    compared.establishment_urn
from compared
where compared.now is distinct from compared.before
