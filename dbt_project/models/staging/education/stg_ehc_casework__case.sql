-- Each month's extract has the case again; the latest says what became of it.
select distinct on (ehc_case.case_id)
    ehc_case.case_id,
    ehc_case.date_of_birth as date_of_birth_on,
    coalesce(ehc_case.route, 'request') as route,
    ehc_case.received_on,
    ehc_case.assess_decided_on,
    {{ code('ehc_case.assess_outcome') }} as assess_outcome,
    coalesce(ehc_case.has_assess_exception, false) as has_assess_exception,
    ehc_case.draft_on,
    ehc_case.issue_decided_on,
    {{ code('ehc_case.issue_outcome') }} as issue_outcome,
    coalesce(ehc_case.has_issue_exception, false) as has_issue_exception,
    ehc_case.issue_exception,
    ehc_case.closed_on,
    delivery.reference_on,
    ehc_case._delivery_id,
    ehc_case._row_number,
    link.person_id
from {{ source('raw_council', 'ehc_casework__case') }} as ehc_case
inner join {{ source('landing', 'delivery') }} as delivery
    on ehc_case._delivery_id = delivery.delivery_id
left join {{ source('identity', 'link') }} as link
    on
        ehc_case._delivery_id = link.delivery_id
        and ehc_case._row_number = link.row_number
        and link.table_name = 'ehc_casework__case'
where ehc_case._delivery_id in {{ manifest() }}
order by
    ehc_case.case_id asc,
    delivery.reference_on desc nulls last,
    ehc_case._delivery_id asc,
    ehc_case._row_number desc
