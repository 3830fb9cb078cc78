"""The dbt project against the rules of `project_rules`, and each rule against a project that breaks it."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from send_returns.settings import Settings
from send_returns.warehouse import dbt

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def _rules() -> ModuleType:
    """The module beside this one, which pytest does not put on the path."""
    spec = importlib.util.spec_from_file_location("project_rules", Path(__file__).with_name("project_rules.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


rules: Any = _rules()

# What may break a rule, and why. One that no longer does is to be taken out.
EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "staging_reads_no_staging": {
        "stg_ssda903__episode": "an episode is of the person that the header of its child names",
        "stg_ssda903__outcome": "an outcome is of the person that the header of its child names",
    },
    "staging_reads_one_feed_table": {
        "stg_csds__referral": "the patient's row says whether a row is of the provider's or of the national copy",
        "stg_mhsds__care_plan": "the patient's row says whether a row is of the provider's or of the national copy",
        "stg_mhsds__referral": "the patient's row says whether a row is of the provider's or of the national copy",
        "stg_ssda903__child": "a child without a header row is known by an episode",
    },
    "nothing_reads_downstream": {
        "mart_golden_thread": "it holds the lists of the return against other places",
        "return_statistics__figure": "a return says what the marts say, so that it and a dashboard cannot differ",
    },
    "a_feed_table_is_staged_once": {
        "raw_council.ssda903__episodes": "a child without a header row is known by an episode",
        "raw_icb.csds__cyp001mpi": "it says of which copy the referrals are",
        "raw_icb.mhsds__mhs001mpi": "it says of which copy the referrals and care plans are",
    },
    "sources_and_models_are_not_joined": {
        "int_indicator__governance": "it counts the feeds, rows and links themselves",
        "int_upn__settled": "the disputed numbers of a run are few and ours",
        "mart_golden_thread": "it holds a release against the last one, which is a source",
    },
    "every_key_is_tested": {
        "fct_clock": "what a case is called by its supplier is in no mart; int_clock__* are tested",
        "fct_indicator_case": "what a case is called by its supplier is in no mart; int_indicator__* are tested",
        "int_plan__named": "a return that gives one id twice joins more, and what reads it takes one",
    },
}


@pytest.fixture(scope="module")
def manifest(server: Settings) -> "Manifest":
    return dbt.manifest(server)


@pytest.fixture(scope="module")
def graph(manifest: "Manifest") -> dict[str, Any]:
    """The manifest as the rules want it."""

    def name(unique_id: str) -> str:
        if source := manifest.sources.get(unique_id):
            return f"{source.source_name}.{source.name}"
        return str(manifest.nodes[unique_id].name)

    nodes: dict[str, Any] = {}
    for source in manifest.sources.values():
        said = source.description and source.source_description
        of = f"{source.source_name}.{source.name}"
        nodes[of] = rules.Node(of, "source", source.source_name, description=said)
    keyed = set()
    for test in manifest.nodes.values():
        if str(test.resource_type) == "test":
            tested = getattr(test, "test_metadata", None)
            if test.name == "every_key_is_unique":
                keyed |= {name(parent) for parent in test.depends_on.nodes}
            elif tested is not None and tested.name == "unique_key":
                keyed.add(name(str(getattr(test, "attached_node", ""))))
    for node in manifest.nodes.values():
        if str(node.resource_type) in ("model", "seed"):
            is_model = str(node.resource_type) == "model"
            nodes[node.name] = rules.Node(
                node.name,
                str(node.resource_type),
                room=node.fqn[1] if is_model else "",
                folder="/".join(node.fqn[1:-1]),
                parents=tuple(sorted({name(parent) for parent in getattr(node.depends_on, "nodes", ())})),
                description=node.description,
                columns={column.name: column.description for column in node.columns.values()},
                sql=node.raw_code if is_model else "",
                materialized=node.config.materialized,
                access=str(getattr(node, "access", "protected")),
                has_contract=is_model and node.config.contract.enforced,
                has_key=node.name in keyed,
                group=node.config.group or "",
            )
    for exposure in manifest.exposures.values():
        parents = tuple(sorted(name(parent) for parent in exposure.depends_on.nodes))
        nodes[exposure.name] = rules.Node(exposure.name, "exposure", parents=parents, description=exposure.description)
    return nodes


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(graph: dict[str, Any], rule: Callable[[Any], Iterator[str]]) -> None:
    assert len(graph) > 150
    assert set(rule(graph)) == set(EXCEPTIONS.get(rule.__name__, {})), rule.__doc__


def _sound() -> dict[str, Any]:
    """A small project that keeps every rule."""
    node = rules.Node
    marts = "**Grain** **Key** **Business rules** **Known limits**"
    made = [
        node("raw_x.t", "source", "raw_x"),
        node("landing.delivery", "source", "landing"),
        node("codes", "seed", columns={"code": "said"}),
        node("stg_x__t", "model", "staging", "staging/x", ("landing.delivery", "raw_x.t"), materialized="view"),
        node("int_t__a", "model", "intermediate", "intermediate", ("codes", "stg_x__t"), has_key=True),
        node("int_t__b", "model", "intermediate", "intermediate", ("int_t__a", "stg_x__t"), has_key=True),
        node(
            "fct_t", "model", "marts", "marts", ("int_t__b",), marts, {"key": "said"}, "select 1 from {{ ref('a') }}",
            access="public", has_contract=True, has_key=True,
        ),
        node("board", "exposure", parents=("fct_t",)),
    ]  # fmt: skip
    return {one.name: one for one in made}


Change = Callable[[dict[str, Any]], None]


def _change(name: str, **changes: Any) -> Change:
    def change(graph: dict[str, Any]) -> None:
        for key, value in changes.items():
            setattr(graph[name], key, value)

    return change


def _add(name: str, *arguments: Any, **named: Any) -> Change:
    def add(graph: dict[str, Any]) -> None:
        graph[name] = rules.Node(name, *arguments, **named)

    return add


MANY = [f"int_t__{number}" for number in range(17)]
BREAKS: Mapping[str, list[Change]] = {
    "named_after_its_room": [_add("x_t", "model", "staging", "staging/x")],
    "kept_in_the_folder_of_its_feed": [_change("stg_x__t", folder="staging")],
    "staging_reads_no_staging": [_add("stg_x__u", "model", "staging", "staging/x", ("stg_x__t",))],
    "staging_reads_one_feed_table": [
        _add("raw_x.u", "source", "raw_x"),
        _change("stg_x__t", parents=("raw_x.t", "raw_x.u")),
    ],
    "nothing_reads_downstream": [_change("int_t__a", parents=("fct_t", "stg_x__t"))],
    "only_staging_reads_feeds": [_change("int_t__a", parents=("raw_x.t",))],
    "sources_and_models_are_not_joined": [_change("int_t__a", parents=("landing.delivery", "stg_x__t"))],
    "a_feed_table_is_staged_once": [_add("stg_x__u", "model", "staging", "staging/x", ("raw_x.t",))],
    "every_source_is_read": [_add("raw_x.u", "source", "raw_x")],
    "every_model_is_read": [_change("fct_t", parents=("int_t__a",))],
    "every_mart_is_shown": [_change("board", parents=())],
    "every_model_has_parents": [_change("int_t__a", parents=())],
    "no_table_is_named_by_hand": [_change("fct_t", sql="select 1 from candidate_marts.dim_child")],
    "no_parent_is_joined_again_through_its_only_child": [_change("int_t__a", parents=("stg_x__t",))],
    "not_too_many_parents": [
        *[_add(name, "model", "intermediate") for name in MANY],
        _change("fct_t", parents=tuple(MANY)),
    ],
    "views_do_not_pile_up": [_change(name, materialized="view") for name in ("int_t__a", "int_t__b")],
    "everything_is_described": [_change("raw_x.t", description=" ")],
    "every_column_of_what_is_read_is_described": [_change("codes", columns={"code": ""})],
    "every_mart_says_what_it_is": [_change("fct_t", description="**Grain** **Key** **Known limits**")],
    "every_key_is_tested": [_change("int_t__b", has_key=False)],
    "what_is_public_has_a_contract": [_change("fct_t", has_contract=False)],
    "everything_has_an_owner": [_change("fct_t", group="")],
    "exposures_show_public_tables": [_change("board", parents=("int_t__b",))],
}


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_a_project_that_breaks_the_rule_is_seen(rule: Callable[[Any], Iterator[str]]) -> None:
    project = _sound()
    assert list(rule(project)) == []
    for change in BREAKS[rule.__name__]:
        change(project)
    assert list(rule(project)) != []
