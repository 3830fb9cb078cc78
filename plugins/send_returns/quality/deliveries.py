"""`check` on a delivery of a feed: its contract, by the same readers and checks that landing uses, with no database."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from send_returns.quality.report import FileSummary, Findings
from send_returns.quality.workbook import UnreadableFile

if TYPE_CHECKING:
    import polars as pl

    from send_returns.feeds import Feed, Refused, Source


def check_delivery(paths: Sequence[Path], feed: str | None) -> tuple[tuple[FileSummary, ...], tuple[Findings, ...]]:
    """Check files as one delivery: a file, a folder, or the files of a CSV set. Without `feed` the contracts are tried.

    A delivery that landing would refuse for what its rows hold gets a finding that says so. Raises UnreadableFile where
    it is no delivery at all.
    """
    # Contracts are read with a library of their own, which takes longer to import than a return takes to check.
    from send_returns import feeds

    folder = paths[0] if paths[0].is_dir() else paths[0].parent
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    files = [file for file in files if file.is_file() and not file.name.startswith(".")]
    name = paths[0].name if len(paths) == 1 else folder.name
    try:
        sources = [feeds.examine(file) for file in files]
    except OSError as error:
        raise UnreadableFile(paths[0], f"cannot be opened ({error.strerror}).") from error
    known = {contract.id: contract for contract in feeds.feeds()}
    if feed is not None and feed not in known:
        raise UnreadableFile(paths[0], f"there is no feed {feed}; choose from {', '.join(known)}.")
    try:
        contract = known[feed] if feed else _recognised(name, sources)
    except feeds.Refused as refused:
        raise UnreadableFile(paths[0], _reason(refused, paths[0].name)) from refused
    if contract is None:
        raise UnreadableFile(
            paths[0],
            "is neither an Annex A return, which has a sheet named List_1 or List_2, nor a delivery of any feed;"
            " name it with --feed.",
        )
    delivery = feeds.Delivery(contract, name, sources)
    found: dict[tuple[str, str, str, tuple[str, ...], str], list[int | None]] = {}
    refusal: list[Findings] = []

    def note(findings: "pl.DataFrame") -> None:
        for rule, severity, table, fields, row, message in findings.iter_rows():
            found.setdefault((rule, severity, table, tuple(fields), message), []).append(row)

    try:
        for checked in delivery.batches():
            note(checked.findings)
        note(feeds.volume_findings(contract, {table: counts.rows_in for table, counts in delivery.counts.items()}))
    except feeds.Refused as refused:
        if not any(counts.rows_in for counts in delivery.counts.values()):
            raise UnreadableFile(paths[0], _reason(refused, name)) from refused
        refusal = [Findings(name, "delivery.refused", "error", contract.id, (), str(refused), (None,))]
    findings = [
        Findings(name, rule, severity, table, fields, message, tuple(rows))
        for (rule, severity, table, fields, message), rows in found.items()
    ]
    loaded = sum(counts.loaded for counts in delivery.counts.values())
    quarantined = sum(counts.quarantined for counts in delivery.counts.values())
    summary = FileSummary(name, contract.id, loaded + quarantined, loaded, quarantined)
    return (summary,), (*findings, *refusal)


def _reason(refused: "Refused", name: str) -> str:
    """A refusal without the name that it begins with, which the report gives already."""
    return str(refused).removeprefix(f"{name}: ")


def _recognised(name: str, sources: "Sequence[Source]") -> "Feed | None":
    """The feed that the files look like, in whatever they are packed. Raises Refused."""
    from send_returns.feeds import bundle, looks_like

    with bundle.opened(sources) as parts:
        likeness = looks_like(parts, name)
    return likeness.feed if likeness else None
