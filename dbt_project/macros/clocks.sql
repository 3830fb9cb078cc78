{#-
    Gives rows of started clocks the last day that is in time. `started` is a relation or common table expression with clock, part,
    person_id, subject_id, started_on, stopped_on, is_exempt and exemption. The limit is the one of `clock_parameters` that is in
    force on the day the clock starts; where none is, there is no clock. A stop after the reporting date has not happened yet.
    Two equi-joins count working days: the number of the first day, and the working day that has that number and the limit. `also` names
    further columns of `started` to hand on.
-#}
{% macro with_due_dates(started, also=[]) -%}
    select
        started.clock,
        started.part,
        started.person_id,
        started.subject_id,
        started.started_on,
        {{ clock_due_on('started.started_on', 'parameter', 'due_day.day_on') }} as due_on,
        case when started.stopped_on <= {{ as_of() }} then started.stopped_on end as stopped_on,
        started.is_exempt,
        started.exemption
        {%- for column in also %},
            started.{{ column }}
        {%- endfor %}
    from {{ started }} as started
    inner join {{ ref('clock_parameters') }} as parameter
        on
            started.clock = parameter.clock
            and started.part = coalesce(parameter.part, '')
            and started.started_on between coalesce(parameter.in_force_from_on, started.started_on)
            and coalesce(parameter.in_force_to_on, started.started_on)
    left join {{ ref('int_working_day') }} as first_day
        on
            started.started_on = first_day.day_on
            and parameter.unit = 'working_days'
    left join {{ ref('int_working_day') }} as due_day
        on
            first_day.working_day_number + parameter.limit_number - {{ clock_shortening('parameter') }} = due_day.working_day_number
            and due_day.is_working_day
{%- endmacro %}

{#- One where the day that equals the limit is already late, else nought. -#}
{% macro clock_shortening(parameter) -%}
    (case when {{ parameter }}.is_inclusive then 0 else 1 end)
{%- endmacro %}

{#- The last day in time of a clock that starts on `started_on`. For `days_at_least` it is the first day on which stopping is allowed. -#}
{% macro clock_due_on(started_on, parameter, working_day_on) -%}
    case {{ parameter }}.unit
        when 'days' then {{ started_on }} + {{ parameter }}.limit_number - {{ clock_shortening(parameter) }}
        when 'days_at_least' then {{ started_on }} + {{ parameter }}.limit_number
        when 'days_before' then {{ started_on }} - {{ parameter }}.limit_number - {{ clock_shortening(parameter) }}
        when 'working_days' then {{ working_day_on }}
        when 'calendar_months'
            then ({{ started_on }} + make_interval(months => {{ parameter }}.limit_number))::date - {{ clock_shortening(parameter) }}
        when 'months_before'
            then ({{ started_on }} - make_interval(months => {{ parameter }}.limit_number))::date - {{ clock_shortening(parameter) }}
        when 'date'
            then to_date(
                extract(year from {{ started_on }})::integer::text || '-' || {{ parameter }}.limit_month_day, 'YYYY-MM-DD'
            ) - {{ clock_shortening(parameter) }}
    end
{%- endmacro %}

{#-
    What became of a clock by the reporting date: exempt, in_time, late, running, or overdue where it runs past its last day. Where the
    limit is the least time to be given, stopping before it is early.
-#}
{% macro clock_outcome(due_on, stopped_on, is_exempt, is_minimum='false') -%}
    case
        when {{ is_exempt }} then 'exempt'
        when {{ is_minimum }} and {{ stopped_on }} < {{ due_on }} then 'early'
        when {{ is_minimum }} and {{ stopped_on }} is null then 'running'
        when {{ is_minimum }} then 'in_time'
        when {{ stopped_on }} <= {{ due_on }} then 'in_time'
        when {{ stopped_on }} > {{ due_on }} then 'late'
        when {{ as_of() }} > {{ due_on }} then 'overdue'
        else 'running'
    end
{%- endmacro %}
