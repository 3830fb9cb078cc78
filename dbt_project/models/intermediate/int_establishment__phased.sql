with phase as (
    select distinct on (kind.establishment_type, kind.gias_phase)
        kind.establishment_type,
        kind.gias_phase,
        rule.phase
    from (
        select distinct
            establishment.establishment_type,
            establishment.gias_phase
        from {{ ref('stg_gias__establishment') }} as establishment
    ) as kind
    inner join {{ ref('establishment_phases') }} as rule
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
    establishment.district,
    phase.phase
from {{ ref('stg_gias__establishment') }} as establishment
left join phase
    on
        establishment.establishment_type is not distinct from phase.establishment_type
        and establishment.gias_phase is not distinct from phase.gias_phase
