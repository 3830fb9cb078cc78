-- Each month's register has the mediation again; the latest says what became of it.
select distinct on (mediation.mediation_id)
    mediation.mediation_id,
    mediation.decision_kind,
    mediation.decision_on,
    mediation.contacted_on,
    mediation.is_wanted,
    mediation.told_on,
    mediation.certificate_on,
    mediation.held_on,
    mediation.outcome,
    delivery.reference_on,
    mediation._delivery_id,
    mediation._row_number,
    link.person_id
from {{ source('raw_council', 'disputes__mediation') }} as mediation
inner join {{ source('landing', 'delivery') }} as delivery
    on mediation._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        mediation._delivery_id = link.delivery_id
        and mediation._row_number = link.row_number
        and link.table_name = 'disputes__mediation'
where mediation._delivery_id in {{ manifest() }}
order by
    mediation.mediation_id asc,
    delivery.reference_on desc nulls last,
    mediation._delivery_id asc,
    mediation._row_number desc
