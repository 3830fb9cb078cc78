"""`docs/bi.md`: how to read the marts with Power BI, Superset and their like, from what the project says of itself.

What holds for any mart stands in `bi_guide.md`; the tables after it are made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from send_returns.settings import Settings
from send_returns.warehouse import dbt, describing
from send_returns.warehouse.describing import Table

KINDS = ("Figures", "Facts", "Dimensions")
_HEAD = Path(__file__).with_suffix(".md")


@dataclass(frozen=True, slots=True)
class Described:
    """The tables of the project, and for each exposure its label, description and tables."""

    tables: Sequence[Table]
    exposures: Sequence[tuple[str, str, Sequence[str]]]


def described(settings: Settings) -> Described:
    """What the dbt project says. Raises BuildFailed where it cannot be read."""
    manifest = dbt.manifest(settings)
    return Described(
        describing.tables(manifest),
        [
            (exposure.label or exposure.name, exposure.description, sorted(ref.name for ref in exposure.refs))
            for exposure in sorted(manifest.exposures.values(), key=lambda exposure: exposure.name)
        ],
    )


def text(project: Described) -> str:
    """The guide; the same project gives the same text."""
    marts = [table for table in project.tables if table.schema == "marts"]
    lines = [_HEAD.read_text(encoding="utf-8")]
    for kind in KINDS:
        own = [table for table in marts if _kind(table) == kind]
        lines += [f"## {kind}", "", *_table(own, with_dates=kind != "Dimensions"), ""]
    lines += ["## What is made of them", "", "| for | which | tables |", "|---|---|---|"]
    lines += [
        f"| {label} | {' '.join(said.split())} | {', '.join(f'`{name}`' for name in names)} |"
        for label, said, names in project.exposures
    ]
    return "\n".join([*lines, ""])


def _kind(table: Table) -> str:
    if table.name.startswith("mart_"):
        return "Figures"
    return "Dimensions" if table.is_dimension else "Facts"


def _table(tables: Sequence[Table], *, with_dates: bool) -> Iterator[str]:
    yield f"| table | what it is | {'first date | refers to' if with_dates else 'key'} |"
    yield "|---|---|---|---|" if with_dates else "|---|---|---|"
    for table in tables:
        what = f"{_paragraph(table, 0)} {_paragraph(table, 1)}".strip()
        if with_dates:
            refers = ", ".join(
                f"`{column.refers_to}` by `{column.name}`" for column in table.columns if column.refers_to
            )
            yield f"| `{table.name}` | {what} | {_first_date(table)} | {refers} |"
        else:
            yield f"| `{table.name}` | {what} | {', '.join(f'`{name}`' for name in table.key)} |"


def _paragraph(table: Table, number: int) -> str:
    paragraphs = table.description.split("\n\n")
    return " ".join(paragraphs[number].split()) if number < len(paragraphs) else ""


def _first_date(table: Table) -> str:
    dates = [column.name for column in table.columns if column.data_type == "date" and column.name != "as_of_on"]
    first = "period_to_on" if "period_to_on" in dates else next(iter(dates), "")
    return f"`{first}`" if first else ""
