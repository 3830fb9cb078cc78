-- Phase as the lists have it, and the type of placement: the first rule that fits gives each.
with kind as (
    select distinct
        establishment.establishment_type,
        establishment.gias_phase
    from {{ ref('stg_gias__establishment') }} as establishment
),

phase as (
    select distinct on (kind.establishment_type, kind.gias_phase)
        kind.establishment_type,
        kind.gias_phase,
        rule.phase
    from kind
    inner join {{ ref('establishment_phases') }} as rule
        on
            (rule.compared = 'type' and kind.establishment_type like rule.pattern)
            or (rule.compared = 'phase' and kind.gias_phase like rule.pattern)
    order by
        kind.establishment_type asc,
        kind.gias_phase asc,
        rule.preference asc
),

placement as (
    select distinct on (kind.establishment_type, kind.gias_phase)
        kind.establishment_type,
        kind.gias_phase,
        rule.placement_type
    from kind
    inner join {{ ref('placement_types') }} as rule
        on
            (rule.compared = 'type' and kind.establishment_type like rule.pattern)
            or (rule.compared = 'phase' and kind.gias_phase like rule.pattern)
    order by
        kind.establishment_type asc,
        kind.gias_phase asc,
        rule.preference asc
)

select
    establishment.urn,
    establishment.establishment_name,
    establishment.type_name,
    establishment.authority_code,
    establishment.district,
    establishment.ukprn,
    establishment.opened_on,
    establishment.closed_on,
    phase.phase,
    placement.placement_type
from {{ ref('stg_gias__establishment') }} as establishment
left join phase
    on
        establishment.establishment_type is not distinct from phase.establishment_type
        and establishment.gias_phase is not distinct from phase.gias_phase
left join placement
    on
        establishment.establishment_type is not distinct from placement.establishment_type
        and establishment.gias_phase is not distinct from placement.gias_phase
