"""What says whose a row is has to know every table of every contract: what it does not know would be kept."""

import re

from send_returns import feeds
from send_returns.identity.sources import SAYS
from send_returns.rights.holdings import OF_NOBODY, holdings

TABLES = {table.raw_name: table for feed in feeds.feeds() for table in feed.tables}
# Identifiers of somebody else, or that only the register itself knows.
NOT_THE_CHILDS = {("ssda903__socialworker", "sw_id"), ("ehe_register__child", "ehe_id")}


def test_every_table_of_every_contract_is_of_children_or_of_nobody() -> None:
    assert sorted([*holdings(), *OF_NOBODY]) == sorted(TABLES)


def test_every_table_of_children_names_them_or_is_a_part_of_one_that_came_before() -> None:
    known: set[str] = set()
    for raw, holding in holdings().items():
        assert holding.says or holding.parent, raw
        assert set(holding.says) <= set(SAYS)
        if holding.parent:
            assert holding.parent in known, raw
            parent = {column.name for column in TABLES[holding.parent].columns}
            assert {*holding.shared} <= parent & {column.name for column in TABLES[raw].columns}, raw
        known.add(raw)


def test_every_identifier_of_a_contract_is_asked() -> None:
    asked = {
        (raw, word)
        for raw, holding in holdings().items()
        for said in (*holding.says.values(), *holding.shared)
        for word in re.findall(r"[a-z]\w*", said)
    }
    identifying = {
        (raw, column.name)
        for raw, table in TABLES.items()
        for column in table.columns
        if column.personal_data == "identifier"
    }
    assert identifying - asked == NOT_THE_CHILDS
    assert {column for column in asked if column[1] not in _words(column[0])} == set()


def _words(raw: str) -> set[str]:
    """The columns of a table, and the words of SQL that expressions are made of."""
    return {column.name for column in TABLES[raw].columns} | {"case", "when", "is", "null", "then", "end", "coalesce"}
