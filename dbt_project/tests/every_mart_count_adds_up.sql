select 'children' as counted
where
    (select coalesce(sum(mart.children), 0) from {{ ref('fct_send_child_count') }} as mart)
    <> (select count(*) from {{ ref('int_child__listed') }})
