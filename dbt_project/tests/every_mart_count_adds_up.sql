-- What is counted of children is the children that there are: on the lists, in the dimension and in the fact, by provision.
with counted as (
    select
        child.list_number = 1 as has_plan,
        count(*) as listed
    from {{ ref('int_child__listed') }} as child
    group by child.list_number
),

dimension as (
    select
        child.has_plan,
        count(*) as children
    from {{ ref('dim_child') }} as child
    where child.has_plan <> child.has_sen_support
    group by child.has_plan
),

fact as (
    select
        mart.provision = 'EHC plan' as has_plan,
        sum(mart.children) as children
    from {{ ref('fct_send_child_count') }} as mart
    group by mart.provision
)

select coalesce(counted.has_plan, dimension.has_plan, fact.has_plan) as has_plan
from counted
full join dimension
    on counted.has_plan = dimension.has_plan
full join fact
    on counted.has_plan = fact.has_plan
where
    counted.listed is distinct from dimension.children
    or counted.listed is distinct from fact.children
