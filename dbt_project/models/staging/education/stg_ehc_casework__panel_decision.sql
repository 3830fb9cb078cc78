-- Each month's extract has the decision again; the latest says what became of it.
select distinct on (decision.decision_id)
    decision.decision_id,
    decision.case_id,
    decision.panel,
    decision.referred_on,
    decision.decided_on,
    decision.decision,
    decision.specialist_need,
    {{ code('decision.urn') }} as urn,
    decision.placed_on,
    decision.withdrawn_on,
    delivery.reference_on,
    decision._delivery_id,
    decision._row_number
from {{ source('raw_council', 'ehc_casework__panel_decision') }} as decision
inner join {{ source('landing', 'delivery') }} as delivery
    on decision._delivery_id = delivery.delivery_id
where decision._delivery_id in {{ manifest() }}
order by
    decision.decision_id asc,
    delivery.reference_on desc nulls last,
    decision._delivery_id asc,
    decision._row_number desc
