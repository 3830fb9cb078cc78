"""The data dictionary: what every table and column that readers see is, as a CSV and as a page.

It says what the live database says of itself, so it fits the marts that it is published with.
"""

import csv
import html
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from send_returns import warehouse
from send_returns.settings import Settings
from send_returns.warehouse import describing
from send_returns.warehouse.describing import Table

FOLDER = "data_dictionary"
HEADINGS = ("schema", "table", "position", "column", "type", "refers_to", "description")
KINDS = (
    ("mart_", "Figures"),
    ("fct_", "Facts"),
    ("dim_", "Dimensions"),
    ("return_", "Returns"),
)
_STYLE = """
:root { color-scheme: light dark; --ink: #14213d; --paper: #fff; --pale: #eef2f8; --line: #5b6b85; --link: #0b4f9e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf5; --paper: #10161f; --pale: #1c2633; --line: #8fa0ba; --link: #9ec9ff; } }
body { font: 1rem/1.5 Arial, sans-serif; color: var(--ink); background: var(--paper); max-width: 75rem;
  margin: 0 auto; padding: 1rem; }
a { color: var(--link); }
a:focus, [tabindex]:focus { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { position: static; }
nav ul { columns: 16rem; padding-left: 1.2rem; }
nav li, td, th { overflow-wrap: break-word; }
h2 { border-top: 2px solid var(--line); padding-top: 1rem; margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding: .5rem 0; }
th, td { border: 1px solid var(--line); padding: .4rem .6rem; text-align: left; vertical-align: top; }
thead th { background: var(--pale); }
tbody th { font-weight: normal; font-family: monospace; }
tbody td:nth-child(2) { white-space: nowrap; }
code { font-family: monospace; }
@media print { nav, .skip { display: none; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


def write(settings: Settings, output: Path) -> dict[str, object]:
    """Write both into `output/data_dictionary/`, over those of an earlier run; returns counts and the folder."""
    with warehouse.connect(settings, purpose="send-returns dictionary") as connection:
        tables = describing.read(connection)
    folder = output / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files(tables).items():
        partial = folder / f".{name}.{os.getpid()}.part"
        partial.write_bytes(content)
        partial.replace(folder / name)
    columns = sum(len(table.columns) for table in tables)
    return {f"{FOLDER}.folder": str(folder), f"{FOLDER}.tables": len(tables), f"{FOLDER}.columns": columns}


def files(tables: Sequence[Table]) -> dict[str, bytes]:
    """The two files by name; the same tables give the same bytes."""
    return {f"{FOLDER}.csv": _csv(tables), f"{FOLDER}.html": _html(tables)}


def _csv(tables: Sequence[Table]) -> bytes:
    """A row for each table, whose column is empty, and one for each of its columns."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(HEADINGS)
    for table in tables:
        rows.writerow((table.schema, table.name, 0, "", "", "", table.description))
        for position, column in enumerate(table.columns, start=1):
            refers_to = f"{column.refers_to}.{column.name}" if column.refers_to else ""
            told = (column.name, column.data_type, refers_to, column.description)
            rows.writerow((table.schema, table.name, position, *told))
    return text.getvalue().encode("utf-8-sig")


def _html(tables: Sequence[Table]) -> bytes:
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en-GB">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>Data dictionary of the marts and returns</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            '<a class="skip" href="#tables">Skip to the tables</a>',
            "<header><h1>Data dictionary of the marts and returns</h1>",
            "<p>What every table and column is. A star in a database tool is a fact joined to its dimensions by the"
            " columns of the same name; the schema <code>stars</code> has each fact with those columns beside its own."
            f' The same as a spreadsheet: <a href="{FOLDER}.csv">{FOLDER}.csv</a>.</p></header>',
            *_contents(tables),
            '<main id="tables">',
            *(line for table in tables for line in _section(table)),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    ).encode()


def _contents(tables: Sequence[Table]) -> Iterator[str]:
    yield '<nav aria-label="Tables">'
    for prefix, heading in KINDS:
        own = [table for table in tables if table.name.startswith(prefix)]
        if own:
            yield f'<h2 id="{prefix.rstrip("_")}">{heading}</h2><ul>'
            yield from (f'<li><a href="#{table.schema}.{table.name}">{table.name}</a></li>' for table in own)
            yield "</ul>"
    yield "</nav>"


def _section(table: Table) -> Iterator[str]:
    name = f"{table.schema}.{table.name}"
    yield f'<section aria-labelledby="{name}"><h2 id="{name}">{name}</h2>'
    yield from (f"<p>{_marked(part)}</p>" for part in table.description.split("\n\n") if part.strip())
    # What scrolls must be reachable by keyboard, and say what it is.
    yield f'<div class="wide" role="region" tabindex="0" aria-label="Columns of {name}"><table>'
    yield f"<caption>Columns of {name}</caption>"
    yield '<thead><tr><th scope="col">Column</th><th scope="col">Type</th><th scope="col">What it is</th></tr></thead>'
    yield "<tbody>"
    for column in table.columns:
        link = (
            f' Refers to <a href="#{table.schema}.{column.refers_to}">{column.refers_to}</a>.'
            if column.refers_to
            else ""
        )
        yield (
            f'<tr><th scope="row">{column.name.replace("_", "_<wbr>")}</th><td>{html.escape(column.data_type)}</td>'
            f"<td>{_marked(column.description)}{link}</td></tr>"
        )
    yield "</tbody></table></div></section>"


def _marked(text: str) -> str:
    """Bold and code as descriptions mark them; everything else is text."""
    safe = html.escape(" ".join(text.split()))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe))
