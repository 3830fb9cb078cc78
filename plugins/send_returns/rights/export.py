"""The answer to a person who asks what is held of them: one file for programs and one to read, for its owner alone."""

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from send_returns import feeds
from send_returns.landing.replacing import replacing
from send_returns.rights.holdings import holdings
from send_returns.rights.subject import Held, Row

_STYLE = (
    "body{font:15px/1.45 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1,h2{color:#1F3864}h3{margin-bottom:.2rem}table{border-collapse:collapse;margin:.4rem 0 1.2rem}"
    "th,td{border:1px solid #BFBFBF;padding:.2rem .5rem;text-align:left;vertical-align:top}th{background:#F2F2F2}"
    "@media print{h2{break-before:page}}"
)
_BEFORE = (
    "Read it before it goes out: a record may name another person, such as a social worker, or say what would harm"
    " somebody to know (Data Protection Act 2018, schedules 2 and 3)."
)


def write(held: Held, path: Path, as_of: date) -> tuple[Path, Path]:
    """Write `path` with the suffixes .json and .html, readable by their owner alone; returns both."""
    content = _content(held, as_of)
    files = path.with_suffix(".json"), path.with_suffix(".html")
    texts = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", "\n".join(_page(content)) + "\n"
    for file, text in zip(files, texts, strict=True):
        # A temporary file is its owner's alone, and takes that with it.
        with replacing(file) as part:
            part.write_text(text, encoding="utf-8")
    return files


def _content(held: Held, as_of: date) -> dict[str, Any]:
    of_feeds = {holding.feed for holding in holdings().values() if holding.feed in {r["feed"] for r in held.records}}
    return {
        "as_of": as_of.isoformat(),
        **asdict(held),
        "sources": [_source(feed) for feed in feeds.feeds() if feed.id in of_feeds],
    }


def _source(feed: feeds.Feed) -> Row:
    """What a person is told of where their data came from (UK GDPR Art. 15(1))."""
    return {
        "feed": feed.id,
        "name": feed.name,
        "from": feed.supplier,
        "purpose": feed.purpose,
        "lawful_basis": feed.lawful_basis,
        "kept_for": feed.retention.words,
    }


def _page(content: Mapping[str, Any]) -> Iterator[str]:
    title = f"What is held about person {content['person_id']}, as of {content['as_of']}"
    yield "<!doctype html>"
    yield f'<html lang="en-GB"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1><p>{html.escape(_BEFORE)}</p>"
    sections = (
        ("Where it came from, why, and for how long", "sources"),
        ("How records were joined", "links"),
        ("Records held", "records"),
        ("What was found in them", "findings"),
        ("Files kept as they arrived", "archived"),
        ("Decisions of people", "decisions"),
        ("Lists that were made", "lists"),
        ("Returns that were published", "packs"),
        ("Rights on record", "removals"),
    )
    for heading, name in sections:
        if content[name]:
            yield f"<h2>{heading}</h2>{_table(content[name])}"
    yield from _values(content["values"])
    yield "</body></html>"


def _values(values: Sequence[Row]) -> Iterator[str]:
    meanings = {
        table.raw_name: (feed.name, table.description, {column.name: column.description for column in table.columns})
        for feed in feeds.feeds()
        for table in feed.tables
    }
    for table, group in groupby(values, lambda row: str(row["table"])):
        feed, description, columns = meanings.get(table, ("", "", {}))
        yield f"<h2>{html.escape(feed or table)}</h2><p>{html.escape(description)}</p>"
        for row in group:
            place = [str(row[name]) for name in ("delivery", "row_number") if name in row]
            yield f"<h3>{html.escape(', row '.join(place))}</h3>"
            named = [{"": columns.get(name, name), " ": value} for name, value in row["values"].items()]
            yield _table(named, headed=False)


def _table(rows: Sequence[Row], *, headed: bool = True) -> str:
    names = list(rows[0]) if rows else []
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_text(row[name]))}</td>" for name in names) + "</tr>" for row in rows
    )
    return f"<table>{f'<tr>{head}</tr>' if headed else ''}{body}</table>"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {one}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
