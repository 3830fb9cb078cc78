select
    need.senneedtableid as sen2_need_id,
    need.activeplanstableid as sen2_active_plan_id,
    {{ code('need.sentype') }} as need_source,
    need.sentyperank as need_rank,
    need._delivery_id,
    need._row_number
from {{ source('raw_council', 'sen2__senneed') }} as need
where need._delivery_id in {{ manifest() }}
