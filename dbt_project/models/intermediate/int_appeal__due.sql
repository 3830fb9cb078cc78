-- An order is due as the regulation says; what it has no time for, as the Tribunal said.
select
    appeal.appeal_id,
    appeal.person_id,
    appeal.decision_kind,
    appeal.decision_on,
    appeal.registered_on,
    appeal.hearing_on,
    appeal.closed_on,
    appeal.outcome,
    appeal.order_on,
    appeal.order_kind,
    coalesce(clock.due_on, appeal.order_due_on) as order_due_on,
    appeal.complied_on,
    appeal.recommendation_to,
    appeal.recommended_on,
    appeal.recommendation_replied_on
from {{ ref('stg_disputes__appeal') }} as appeal
left join {{ ref('int_clock__disputes') }} as clock
    on
        'appeal ' || appeal.appeal_id = clock.subject_id
        and (clock.clock, clock.part) in (
            ('CLK19', 'start'), ('CLK20', 'final'), ('CLK21', 'contents'), ('CLK21', 'school_only')
        )
