select
    expectation.feed,
    expectation.supplier,
    expectation.period_on,
    expectation.due_on,
    expectation.state
from {{ source('landing', 'expectation') }} as expectation
where
    expectation.partnership = '{{ var("partnership") }}'
    and expectation.as_of = {{ as_of() }}
