-- A UPN that records of two children carry is the child's who has it in most records, and in a tie nobody's.
with disputed as (
    select identifier.value as upn_body
    from {{ source('identity', 'disputed_identifier') }} as identifier
    where
        identifier.run_id = '{{ var("run_id") }}'
        and identifier.kind = 'upn'
),

borne as (
    select
        person.person_id,
        person.upn
    from {{ ref('stg_sen2__person') }} as person
    union all
    select
        pupil.person_id,
        pupil.upn
    from {{ ref('stg_school_census__pupil') }} as pupil
),

counted as (
    select
        borne.person_id,
        borne.upn,
        right(borne.upn, 12) as upn_body,
        count(*) as records
    from borne
    where
        borne.person_id in (
            select doubted.person_id
            from borne as doubted
            where right(doubted.upn, 12) in (select disputed.upn_body from disputed)
        )
    group by borne.person_id, borne.upn
),

ranked as (
    select
        counted.person_id,
        counted.upn_body,
        rank() over (partition by counted.upn_body order by sum(counted.records) desc) as place
    from counted
    group by counted.person_id, counted.upn_body
),

owner as (
    select
        ranked.upn_body,
        min(ranked.person_id) as person_id
    from ranked
    where ranked.place = 1
    group by ranked.upn_body
    having count(*) = 1
),

own as (
    select distinct on (counted.person_id)
        counted.person_id,
        counted.upn
    from counted
    inner join owner
        on
            counted.upn_body = owner.upn_body
            and counted.person_id = owner.person_id
    order by counted.person_id asc, counted.records desc, counted.upn asc
)

select
    doubted.person_id,
    own.upn
from (select distinct counted.person_id from counted) as doubted
left join own
    on doubted.person_id = own.person_id
