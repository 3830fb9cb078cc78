"""The probabilistic model: Splink's Fellegi-Sunter weights of names, birth date, sex and postcode, with a version."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
from splink import DuckDBAPI, Linker

from send_returns.failure import Failure
from send_returns.identity.likeness import frame
from send_returns.settings import Settings

# Names borne by fewer are rare alike, so that no rare name is kept in a model.
FEWEST_BEARERS = 20
# Families in which two forenames must meet.
FEWEST_FAMILIES = 3
NEVER_SEEN = 1e-5
SAMPLED_PAIRS = 2e6
SEED = 1

# Pairs that are compared: what two records of one child have in common, short of a slip in each.
BLOCKING = (
    ("born", "surname"),
    ("born", "postcode"),
    ("born", "forename"),
    ("surname", "forename", "postcode"),
    ("surname", "forename", "year"),
    ("postcode", "forename", "year"),
)
# What more profiles have in common is what some system writes of children whom it does not know.
MOST_ALIKE = 200


def _level(sql: str, label: str, **more: str | bool) -> dict[str, Any]:
    return {"sql_condition": sql, "label_for_charts": label, **more}


def _missing(column: str) -> dict[str, Any]:
    return _level(f"{column}_l is null or {column}_r is null", "not known", is_null_level=True)


_ELSE = _level("ELSE", "anything else")
_FORENAME_FORMS = "list_contains(forms_l, forename_r) or list_contains(forms_r, forename_l)"
COMPARISONS: tuple[dict[str, Any], ...] = (
    {
        "output_column_name": "forename",
        "comparison_levels": [
            _missing("forename"),
            _level("forename_l = forename_r", "same", tf_adjustment_column="forename"),
            _level(
                "a_slip(forename_l, forename_r) or jaro_winkler_similarity(forename_l, forename_r) >= 0.92", "a slip"
            ),
            _level(f"{_FORENAME_FORMS} or words_meet(forename_l, forename_r)", "a familiar form"),
            _level("forename_l = surname_r and forename_r = surname_l", "swapped with the surname"),
            _ELSE,
        ],
    },
    {
        "output_column_name": "surname",
        "comparison_levels": [
            _missing("surname"),
            _level("surname_l = surname_r", "same", tf_adjustment_column="surname"),
            _level("a_slip(surname_l, surname_r) or jaro_winkler_similarity(surname_l, surname_r) >= 0.92", "a slip"),
            _level("words_meet(surname_l, surname_r)", "a half of the other"),
            _ELSE,
        ],
    },
    {
        "output_column_name": "born",
        "comparison_levels": [
            _missing("born"),
            _level("born_l = born_r", "same"),
            _level("born_turned(born_l, born_r)", "day and month turned round"),
            _level("born_placeholder(born_l, born_r)", "1 January of the same year"),
            _level("damerau_levenshtein(born_l, born_r) <= 1", "one digit"),
            _level("year_l = year_r", "same year"),
            _ELSE,
        ],
    },
    {
        "output_column_name": "sex",
        "comparison_levels": [_missing("sex"), _level("sex_l = sex_r", "same"), _ELSE],
    },
    {
        "output_column_name": "postcode",
        "comparison_levels": [
            _missing("postcode"),
            _level("postcode_l = postcode_r", "same"),
            _level("district_l = district_r", "same district"),
            _ELSE,
        ],
    },
)


@dataclass(frozen=True)
class Model:
    """Splink's settings with their parameters, the frequency of each common name, and that of all others; and forenames
    that were found to be forms of one name."""

    parameters: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The same for the same parameters."""
        return "m" + hashlib.sha256(json.dumps(self.parameters, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def aliases(self) -> list[tuple[str, str]]:
        """Pairs of forenames that are forms of one name."""
        return [(one, other) for one, other in self.parameters["aliases"]]


def load(settings: Settings) -> Model:
    """The model estimated for this installation (`<home>/linkage/model.json`), or else the one that comes with it."""
    own = settings.home / "linkage" / "model.json"
    try:
        text = own.read_text("utf-8") if own.exists() else files(__package__).joinpath("model.json").read_text("utf-8")
        return Model(_checked(json.loads(text)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Failure(f"{own}: it is no linkage model. Estimate it anew with `send-returns link --estimate`.") from None


def _checked(written: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a model, if it compares what this version compares and its numbers can be what they stand for."""
    parameters = {part: written[part] for part in ("settings", "frequencies", "aliases")}
    settings, frequencies = parameters["settings"], parameters["frequencies"]
    shares = [settings["probability_two_random_records_match"]]
    for comparison, expected in zip(settings["comparisons"], COMPARISONS, strict=True):
        for level, wanted in zip(comparison["comparison_levels"], expected["comparison_levels"], strict=True):
            if any(level[name] != wanted[name] for name in ("sql_condition", "label_for_charts")):
                raise ValueError
            if not wanted.get("is_null_level"):
                shares += [level["m_probability"], level["u_probability"]]
    for name in ("forename", "surname"):
        shares += [*frequencies[name]["common"].values(), frequencies[name]["other"]]
    names = [name for one, other in parameters["aliases"] for name in (one, other)]
    if not all(0 < share <= 1 for share in shares) or not all(isinstance(name, str) for name in names):
        raise ValueError
    return parameters


def _linker(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, Any]) -> tuple[DuckDBAPI, Linker]:
    logging.getLogger("splink").setLevel(logging.ERROR)
    api = DuckDBAPI(connection)
    frame = api.register("profiles", table_name="known_profiles", dataset_display_name="profiles")
    return api, Linker(frame, dict(settings), log_level=None)


def aliases(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Forenames by which records under one number, birth date and surname know children, in enough families to be forms
    of one name and not a slip of the number: Ciaran and Kieran. Of the table `shared`; sorted."""
    return connection.execute(
        "select least(l.forename, r.forename) as one, greatest(l.forename, r.forename) as other"
        " from shared as a join shared as b on a.kind = b.kind and a.value = b.value and a.profile < b.profile"
        " join profiles as l on l.profile = a.profile join profiles as r on r.profile = b.profile"
        " where l.forename <> r.forename and l.born = r.born and surname_alike(l.surname, r.surname)"
        f" group by 1, 2 having count(distinct least(l.born, r.born) || l.surname) >= {FEWEST_FAMILIES} order by 1, 2"
    ).fetchall()


def estimate(connection: duckdb.DuckDBPyConnection, known_as: list[tuple[str, str]]) -> tuple[Model, str]:
    """A model of the profiles in `connection`, whose column `label` says which share trusted identifiers.

    `known_as`: the model's aliases. Returns it with its chart, as HTML.
    """
    ((children,),) = connection.execute("select count(distinct label) from profiles").fetchall()
    settings = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "profile",
        "probability_two_random_records_match": 1 / children,
        "comparisons": list(COMPARISONS),
        "blocking_rules_to_generate_predictions": [],
        "linker_uid": "send-returns",
    }
    _, linker = _linker(connection, settings)
    linker.training.estimate_u_using_random_sampling(max_pairs=SAMPLED_PAIRS, seed=SEED)
    linker.training.estimate_m_from_label_column("label")
    trained = _whole(json.loads(json.dumps(linker.misc.save_model_to_json(out_path=None))))
    frequencies = {name: _frequencies(connection, name) for name in ("forename", "surname")}
    chart = linker.visualisations.match_weights_chart()
    parameters = {"settings": trained, "frequencies": frequencies, "aliases": [list(pair) for pair in known_as]}
    return Model(parameters), chart.to_html(inline=True)


def _whole(trained: dict[str, Any]) -> dict[str, Any]:
    """With a small probability where a level was never seen, for which Splink would put a large one."""
    for comparison in trained["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level"):
                for name in ("m_probability", "u_probability"):
                    level[name] = round(level.get(name) or NEVER_SEEN, 9)
    return trained


def _frequencies(connection: duckdb.DuckDBPyConnection, column: str) -> dict[str, Any]:
    """`common`: the share of those who have a name that have this one; `other`: of each name that is not common."""
    counted = frame(
        connection,
        f"select {column} as name, count(*) as n from profiles where {column} is not null group by 1 order by 1",
    )
    total = max(int(counted["n"].sum()), 1)
    common = counted.filter(pl.col("n") >= FEWEST_BEARERS)
    return {
        "common": {name: round(n / total, 8) for name, n in common.iter_rows()},
        "other": round(FEWEST_BEARERS / total, 8),
    }


def block(connection: duckdb.DuckDBPyConnection, only_new: bool = False) -> None:
    """Table `pairs` (l, r: positions, l < r) of profiles worth comparing; `only_new`: of which one is new."""
    new = " and (l.is_new or r.is_new)" if only_new else ""
    _compare(connection, "pairs", f"profiles as l join profiles as r on l.profile < r.profile{new}")


def worth(connection: duckdb.DuckDBPyConnection, likely: pl.DataFrame) -> pl.DataFrame:
    """Those of the pairs `likely` (l, r, weight) that `block` would choose: more may have come to be alike since."""
    connection.register("weighed_", likely)
    _compare(
        connection,
        "worth",
        "weighed_ join profiles as l on l.profile = weighed_.l join profiles as r on r.profile = weighed_.r",
    )
    return frame(connection, "select weighed_.* from weighed_ semi join worth using (l, r) order by l, r")


def _compare(connection: duckdb.DuckDBPyConnection, table: str, pairs: str) -> None:
    rules = " union ".join(
        f"select l.profile as l, r.profile as r from {pairs} and {' and '.join(f'l.{c} = r.{c}' for c in columns)}"
        f" semi join (select {', '.join(columns)} from profiles group by all having count(*) <= {MOST_ALIKE}) as few"
        f" on {' and '.join(f'few.{c} = l.{c}' for c in columns)}"
        for columns in BLOCKING
    )
    connection.execute(f"create or replace table {table} as {rules}")


def weights(connection: duckdb.DuckDBPyConnection, model: Model, least: float) -> pl.DataFrame:
    """The match weight (log2 of the odds) of each pair in the table `pairs` (l, r: positions), if at least `least`.

    Returns l, r, weight, sorted. What a pair weighs depends on what the two say, and on the model, alone.
    """
    api, linker = _linker(connection, model.parameters["settings"])
    for column in ("forename", "surname"):
        linker.table_management.register_term_frequency_lookup(
            api.register(_lookup(connection, model, column), table_name=f"frequency_of_{column}"), column
        )
    connection.execute("create table blocked as select l as join_key_l, r as join_key_r, '0' as match_key from pairs")
    linker.table_management.register_blocked_pairs_for_predict(api.register("blocked", table_name="blocked_pairs"))
    found = linker.inference.predict(threshold_match_weight=least)
    return frame(
        connection,
        "select profile_l::integer as l, profile_r::integer as r, round(match_weight, 4) as weight"
        f" from {found.physical_name} order by l, r",
    )


def _lookup(connection: duckdb.DuckDBPyConnection, model: Model, column: str) -> pa.Table:
    frequencies = model.parameters["frequencies"][column]
    names = frame(connection, f"select distinct {column} from profiles where {column} is not null")
    return names.with_columns(
        pl.col(column)
        .replace_strict(frequencies["common"], default=frequencies["other"], return_dtype=pl.Float64)
        .alias(f"tf_{column}")
    ).to_arrow()


def save(settings: Settings, model: Model, chart: str) -> Path:
    """Keep a model as this installation's, with its charts beside it; returns where the charts are."""
    folder = settings.folder("linkage")
    page = folder / f"{model.id}.html"
    page.write_text(chart, encoding="utf-8")
    (folder / "model.json").write_text(json.dumps(model.parameters, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return page
