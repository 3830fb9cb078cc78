select
    '{{ var("partnership") }}'::text as partnership,
    returned.person_id,
    returned.number as senneedtableid,
    returned.parent_number as activeplanstableid,
    sen_need.need_source as sentype,
    sen_need.need_rank as sentyperank
from {{ ref('int_sen2__returned') }} as returned
inner join {{ ref('stg_sen2__need') }} as sen_need
    on
        returned._delivery_id = sen_need._delivery_id
        and returned._row_number = sen_need._row_number
where returned.record = 'sen_need'
order by returned.number
