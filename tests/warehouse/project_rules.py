"""What is looked for in the dbt project: each rule takes the graph of its nodes and returns what breaks it.

The rules are those that the field's checklist of dbt projects has, as they fit this one: sources of the project's own
(runs, deliveries, who is who) are joined by staging as it needs them, and only a supplier's tables count as feeds.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

ROOMS = ("staging", "intermediate", "marts", "returns")
PREFIXES = {
    "staging": ("stg_",),
    "intermediate": ("int_",),
    "marts": ("dim_", "fct_", "mart_"),
    "returns": ("return_",),
}
OWN_SOURCES = ("audit", "identity", "landing", "layout", "run")
PARENTS, VIEWS_IN_A_ROW = 16, 3


@dataclass
class Node:
    """A source, seed, model or exposure. `parents` and `columns` by name; `sql` as it is written."""

    name: str
    kind: str
    room: str = ""
    folder: str = ""
    parents: tuple[str, ...] = ()
    description: str = "said"
    columns: dict[str, str] = field(default_factory=dict)
    sql: str = ""
    materialized: str = "table"
    access: str = "protected"
    has_contract: bool = False
    has_key: bool = False
    group: str = "g"


Graph = dict[str, Node]
Rule = Callable[[Graph], Iterator[str]]


def _models(graph: Graph, *rooms: str) -> list[Node]:
    return [node for node in graph.values() if node.kind == "model" and (not rooms or node.room in rooms)]


def _parents(graph: Graph, node: Node, kind: str, *rooms: str) -> list[Node]:
    found = [graph[name] for name in node.parents if name in graph]
    return [parent for parent in found if parent.kind == kind and (not rooms or parent.room in rooms)]


def _feeds(graph: Graph, node: Node) -> list[Node]:
    return [source for source in _parents(graph, node, "source") if source.room not in OWN_SOURCES]


def named_after_its_room(graph: Graph) -> Iterator[str]:
    """A model is named after its room."""
    return (node.name for node in _models(graph) if not node.name.startswith(PREFIXES.get(node.room, ())))


def kept_in_the_folder_of_its_feed(graph: Graph) -> Iterator[str]:
    """A staging model lies in a folder below staging; others lie in that of their room."""
    for node in _models(graph):
        if (node.room == "staging") != ("/" in node.folder):
            yield node.name


def staging_reads_no_staging(graph: Graph) -> Iterator[str]:
    """A staging model reads sources."""
    return (n.name for n in _models(graph, "staging") if _parents(graph, n, "model", "staging"))


def staging_reads_one_feed_table(graph: Graph) -> Iterator[str]:
    """A staging model is of one table of a feed: what joins several is intermediate."""
    return (n.name for n in _models(graph, "staging") if len(_feeds(graph, n)) > 1)


def nothing_reads_downstream(graph: Graph) -> Iterator[str]:
    """A room reads the rooms before it and itself."""
    for node in _models(graph):
        later = ROOMS[ROOMS.index(node.room) + 1 :]
        if node.room == "returns":
            later = ("marts",)
        if later and _parents(graph, node, "model", *later):
            yield node.name


def only_staging_reads_feeds(graph: Graph) -> Iterator[str]:
    """What a supplier sent is read by staging alone."""
    return (n.name for n in _models(graph, "intermediate", "marts", "returns") if _feeds(graph, n))


def sources_and_models_are_not_joined(graph: Graph) -> Iterator[str]:
    """A model reads models or sources; staging may read both of the project's own."""
    for node in _models(graph, "intermediate", "marts", "returns"):
        sources = [source for source in _parents(graph, node, "source") if source.room != "layout"]
        if sources and _parents(graph, node, "model"):
            yield node.name


def a_feed_table_is_staged_once(graph: Graph) -> Iterator[str]:
    """One staging model for each table of a feed: two would clean it in two ways."""
    readers: dict[str, list[str]] = {}
    for node in _models(graph):
        for source in _feeds(graph, node):
            readers.setdefault(source.name, []).append(node.name)
    return (name for name, models in sorted(readers.items()) if len(models) > 1)


def every_source_is_read(graph: Graph) -> Iterator[str]:
    """No source that nobody reads."""
    read = {name for node in _models(graph) for name in node.parents}
    return (name for name, node in graph.items() if node.kind == "source" and name not in read)


def every_model_is_read(graph: Graph) -> Iterator[str]:
    """No staging or intermediate model that nobody reads."""
    read = {name for node in graph.values() for name in node.parents}
    return (node.name for node in _models(graph, "staging", "intermediate") if node.name not in read)


def every_mart_is_shown(graph: Graph) -> Iterator[str]:
    """Every mart and return serves an exposure: what nobody is shown need not be built."""
    shown = {name for node in graph.values() if node.kind == "exposure" for name in node.parents}
    return (node.name for node in _models(graph, "marts", "returns") if node.name not in shown)


def every_model_has_parents(graph: Graph) -> Iterator[str]:
    """A model without parents is a table that somebody forgot to name."""
    return (node.name for node in _models(graph) if not node.parents)


def no_table_is_named_by_hand(graph: Graph) -> Iterator[str]:
    """Tables are named by ref and source alone."""
    schemas = r"raw_\w+|candidate_\w+|reference|identity|landing|audit|marts|returns"
    by_hand = re.compile(rf"\b(from|join)\s+\"?({schemas})\"?\.", re.IGNORECASE)
    for node in _models(graph):
        if by_hand.search(re.sub(r"--.*|\{#.*?#\}", "", node.sql)):
            yield node.name


def no_parent_is_joined_again_through_its_only_child(graph: Graph) -> Iterator[str]:
    """A model that reads A and B, where B is made of A alone and read by nobody else: B belongs into it."""
    children: dict[str, set[str]] = {}
    for node in graph.values():
        for name in node.parents:
            children.setdefault(name, set()).add(node.name)
    for node in _models(graph):
        for between in _parents(graph, node, "model"):
            if (
                len(between.parents) == 1
                and between.parents[0] in node.parents
                and children[between.name] == {node.name}
            ):
                yield f"{node.name}: {between.name}"


def not_too_many_parents(graph: Graph) -> Iterator[str]:
    """A model that joins more than it can be read for."""
    return (node.name for node in _models(graph) if len(_parents(graph, node, "model")) > PARENTS)


def views_do_not_pile_up(graph: Graph) -> Iterator[str]:
    """No view of a view of a view."""

    def height(node: Node) -> int:
        if node.kind != "model" or node.materialized != "view":
            return 0
        return 1 + max((height(graph[name]) for name in node.parents if name in graph), default=0)

    return (node.name for node in _models(graph) if height(node) >= VIEWS_IN_A_ROW)


def everything_is_described(graph: Graph) -> Iterator[str]:
    """Every source, seed, model and exposure says what it is."""
    return (node.name for node in graph.values() if not node.description.strip())


def every_column_of_what_is_read_is_described(graph: Graph) -> Iterator[str]:
    """Every column of a mart, a return or a seed says what it is."""
    for node in graph.values():
        if node.kind == "seed" or node.room in ("marts", "returns"):
            yield from (f"{node.name}.{name}" for name, said in node.columns.items() if not said.strip())
            if not node.columns and node.kind in ("seed", "model"):
                yield f"{node.name}: no column"


def every_mart_says_what_it_is(graph: Graph) -> Iterator[str]:
    """A mart or return has its grain, key, business rules and known limits."""
    parts = ("**Grain**", "**Key**", "**Business rules**", "**Known limits**")
    return (n.name for n in _models(graph, "marts", "returns") if not all(part in n.description for part in parts))


def every_key_is_tested(graph: Graph) -> Iterator[str]:
    """A model of intermediate, marts or returns has a tested key."""
    return (node.name for node in _models(graph, "intermediate", "marts", "returns") if not node.has_key)


def what_is_public_has_a_contract(graph: Graph) -> Iterator[str]:
    """Marts and returns are public, and their contracts are enforced; nothing else is public."""
    for node in _models(graph):
        is_read_by_all = node.room in ("marts", "returns")
        if (node.access == "public") != is_read_by_all or (is_read_by_all and not node.has_contract):
            yield node.name


def everything_has_an_owner(graph: Graph) -> Iterator[str]:
    """Every model is of a group."""
    return (node.name for node in _models(graph) if not node.group)


def exposures_show_public_tables(graph: Graph) -> Iterator[str]:
    """An exposure depends on public models that are tables."""
    for node in graph.values():
        if node.kind == "exposure":
            shown = _parents(graph, node, "model")
            if not shown or any(model.access != "public" or model.materialized == "view" for model in shown):
                yield node.name


RULES: tuple[Rule, ...] = (
    named_after_its_room,
    kept_in_the_folder_of_its_feed,
    staging_reads_no_staging,
    staging_reads_one_feed_table,
    nothing_reads_downstream,
    only_staging_reads_feeds,
    sources_and_models_are_not_joined,
    a_feed_table_is_staged_once,
    every_source_is_read,
    every_model_is_read,
    every_mart_is_shown,
    every_model_has_parents,
    no_table_is_named_by_hand,
    no_parent_is_joined_again_through_its_only_child,
    not_too_many_parents,
    views_do_not_pile_up,
    everything_is_described,
    every_column_of_what_is_read_is_described,
    every_mart_says_what_it_is,
    every_key_is_tested,
    what_is_public_has_a_contract,
    everything_has_an_owner,
    exposures_show_public_tables,
)
