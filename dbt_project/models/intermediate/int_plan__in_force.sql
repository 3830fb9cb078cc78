-- As int_plan__active has it of the reporting date: on any day the plan that began last stands, as the latest return tells it. Plans that
-- follow one another without a day between are one spell.
with stated as (
    select distinct on (plan.person_id, plan.started_on)
        plan.person_id,
        plan.started_on,
        plan.ceased_on,
        plan.cease_reason
    from {{ ref('int_plan__named') }} as plan
    where plan.person_id is not null
    order by
        plan.person_id asc,
        plan.started_on asc,
        plan.reference_on desc nulls last,
        plan._delivery_id asc,
        plan.ceased_on desc nulls first,
        plan._row_number asc
),

followed as (
    select
        stated.*,
        lag(stated.ceased_on) over (partition by stated.person_id order by stated.started_on asc) as earlier_ceased_on
    from stated
    where stated.started_on <= {{ as_of() }}
),

spelled as (
    select
        followed.*,
        count(*) filter (where followed.earlier_ceased_on < followed.started_on)
            over (partition by followed.person_id order by followed.started_on asc) as spell
    from followed
)

select
    spelled.person_id,
    min(spelled.started_on) as started_on,
    max(spelled.started_on) as version_started_on,
    (array_agg(spelled.ceased_on order by spelled.started_on desc))[1] as ceased_on,
    (array_agg(spelled.cease_reason order by spelled.started_on desc))[1] as cease_reason,
    count(*)::integer as versions
from spelled
group by spelled.person_id, spelled.spell
