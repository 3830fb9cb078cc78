{#- Fails for each key that is null in a part, or on more than one row. -#}
{% test unique_key(model, columns) %}
select
    {{ columns | join(", ") }},
    count(*) as rows_of_key
from {{ model }}
group by {{ columns | join(", ") }}
having count(*) > 1{% for column in columns %} or {{ column }} is null{% endfor %}
{% endtest %}
