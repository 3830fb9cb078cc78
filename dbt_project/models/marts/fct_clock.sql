{% set families = ['care', 'casework', 'disputes', 'governance', 'health'] %}
with started as (
    {% for family in families %}
        select
            {{ family }}.clock,
            {{ family }}.part,
            {{ family }}.person_id,
            {{ family }}.started_on,
            {{ family }}.due_on,
            {{ family }}.stopped_on,
            {{ family }}.is_exempt,
            {{ family }}.exemption
        from {{ ref('int_clock__' ~ family) }} as {{ family }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

least_time as (
    select distinct
        parameter.clock,
        coalesce(parameter.part, '') as part
    from {{ ref('clock_parameters') }} as parameter
    where parameter.unit = 'days_at_least'
)

select
    '{{ var("partnership") }}'::text as partnership,
    {{ as_of() }} as as_of_on,
    started.clock,
    started.part,
    pseudonym.child_key,
    started.started_on,
    started.due_on,
    started.stopped_on,
    started.is_exempt,
    started.exemption,
    {{ clock_outcome('started.due_on', 'started.stopped_on', 'started.is_exempt', 'least_time.clock is not null') }} as outcome,
    coalesce(started.stopped_on, {{ as_of() }}) - started.due_on as days_past_due
from started
left join least_time
    on
        started.clock = least_time.clock
        and started.part = least_time.part
left join {{ ref('int_child__keyed') }} as pseudonym
    on started.person_id = pseudonym.person_id
