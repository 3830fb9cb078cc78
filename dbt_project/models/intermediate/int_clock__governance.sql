with started as (
    select
        programme.clock,
        coalesce(programme.part, '') as part,
        null::text as person_id,
        programme.subject as subject_id,
        programme.started_on,
        programme.stopped_on,
        false as is_exempt,
        null::text as exemption
    from {{ ref('programme_clocks') }} as programme
    where
        programme.partnership = '{{ var("partnership") }}'
        and programme.started_on <= {{ as_of() }}
)

{{ with_due_dates('started') }}
