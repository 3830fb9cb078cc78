"""The reading guide that lies in every pack: what the return is and holds, how to check it, and how to ask back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from send_returns import layouts
from send_returns.releases import register
from send_returns.returns import pages
from send_returns.returns.declarations import ListDeclaration, StatisticalDeclaration
from send_returns.returns.evidence import RuleResult
from send_returns.returns.job import REHEARSAL, Job
from send_returns.returns.pages import html, long_date, uk_date, words
from send_returns.sealing.verify_pack import MANIFEST, SUMS

FILE = "reading_guide.html"
_REHEARSAL_FILE = "REHEARSAL.txt"
# What a file is, by its name or else by how its name ends.
_FILES = {
    "rules.csv": "Every rule of the return, with its outcome.",
    "findings.csv": "Every row that failed a rule, by its number in the file; no values.",
    ".xlsx": "The return as a workbook, for Excel or LibreOffice.",
    ".html": "The return as a page, for a browser; it asks for nothing from elsewhere.",
    ".xml": "The return in the form that its collection takes.",
    ".csv": "A table of the return, the same rows in the same order, as text with commas.",
    _REHEARSAL_FILE: "That this is a rehearsal; for the files that do not say it themselves.",
    ".meta.csv": "What each column of the open data is, by the DfE's standard.",
}
_ALWAYS = {
    FILE: "This guide.",
    MANIFEST: "Every file with its size and fingerprint; the deliveries, the rules and the code that made them.",
    SUMS: "The fingerprint of every file, in the form that checking commands read.",
    "release.json": "Which version this is and who signed it; there when it is published.",
    "release.json.sig": "The seal over release.json; there when it is published.",
}
_SIGNS = (
    ("[c]", "Not shown: a count of 1 to 7, or one that would give such a count away."),
    ("[x]", "Not available: no feed tells it."),
    ("[z]", "Does not apply."),
    ("[low]", "More than nought, and rounds to nought."),
)
_OUTCOMES = {"fail": "rows to look at", "error": "could not run"}

# A measure to ask for, of a return whose figures are not of indicators.
_EXAMPLES = {"health_waits": "past_13_weeks"}
# The part of a collection that has one row and no child.
_HEADER = "sen2"

Row = Sequence[object]


class _Table(NamedTuple):
    """A table for `parts.html`: headings, each with whether its values are numbers, and rows."""

    caption: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Row]


def write(job: Job, folder: Path, rows: Mapping[str, int]) -> None:
    """Write the guide beside the files of a job; the same job and files give the same bytes.

    `rows`: by table, as the renderer counted them. It has no count of children but the lengths of lists that are
    themselves in the pack.
    """
    if job.is_rehearsal:
        # A CSV has no place for it that a program would not take for data: it lies beside them.
        (folder / _REHEARSAL_FILE).write_text(f"{REHEARSAL}\n\nThis holds for every file of this folder.\n")
    (folder / FILE).write_bytes(
        html.page(
            job,
            "reading_guide.html",
            at_a_glance=_at_a_glance(job),
            files=_files(folder),
            parts=_parts(job, rows),
            columns=_columns(job),
            deliveries=_deliveries(job),
            rules=_rules(job),
            rules_run=len(job.proof.rules),
            rules_passed=sum(one.outcome == "pass" for one in job.proof.rules),
            limits=job.declaration.limits,
            signs=_SIGNS if isinstance(job.declaration, StatisticalDeclaration) else (),
            checks=_CHECKS,
            questions=_questions(job),
        )
    )


def _at_a_glance(job: Job) -> list[tuple[str, str]]:
    declaration, run = job.declaration, job.proof.run
    return [
        ("For", declaration.audience),
        ("Who may have it", declaration.recipients_role),
        ("As of", long_date(run.as_of)),
        ("Period", declaration.period),
        ("When it is due", declaration.deadline),
        ("Release", _release_id(job)),
        ("Layout version", declaration.version(run.as_of)),
        ("Made by", f"run {run.run_id}, code {run.code_version}"),
        ("Standing", declaration.standing),
        ("Whom to ask", declaration.contact),
    ]


def _release_id(job: Job) -> str:
    run = job.proof.run
    return register.id_of(run.partnership, job.declaration.return_name, run.as_of, job.version)


def _files(folder: Path) -> _Table:
    own = sorted(path.name for path in folder.iterdir() if path.name not in _ALWAYS)
    # The longest ending that fits is the one that says most: findings.csv before .csv.
    ends = {name: max((end for end in _FILES if name.endswith(end)), key=len, default=None) for name in own}
    told = [(name, _FILES[end] if end else "") for name, end in ends.items()]
    return _Table("Files", [("File", False), ("What it is", False)], [*told, *_ALWAYS.items()])


def _parts(job: Job, rows: Mapping[str, int]) -> list[_Table]:
    declaration = job.declaration
    if isinstance(declaration, StatisticalDeclaration):
        return [
            _Table("Figures", [("Table", False), ("What it holds", False)], list(declaration.lists.items())),
            _Table("Sheets and tables", [("Name", False), ("Rows", True)], [(n, f"{c:,}") for n, c in rows.items()]),
        ]
    held = [(name, f"{rows[name]:,}" if name in rows else "", text) for name, text in declaration.lists.items()]
    caption = "Lists" if isinstance(declaration, ListDeclaration) else "Records"
    return [_Table(caption, [("Name", False), ("Rows", True), ("What it holds", False)], held)]


def _columns(job: Job) -> _Table | None:
    """What each column of a list means and comes from; other returns say it in their own sheets or by their format."""
    declaration = job.declaration
    if not isinstance(declaration, ListDeclaration):
        return None
    layout = layouts.load(declaration.layout, job.proof.run.as_of)
    names: dict[str, list[str]] = {}
    headings: dict[str, str] = {}
    for item in layout.lists:
        for column in item.columns:
            names.setdefault(column.name, []).append(item.name)
            headings[column.name] = column.heading
    return _Table(
        "Columns",
        [("Column", False), ("Lists", False), ("Comes from", False), ("Worked out by", False), ("Its limit", False)],
        [
            (headings[name], ", ".join(lists), said.source, said.rule, said.limit)
            for name, lists in names.items()
            for said in [declaration.columns[name]]
        ],
    )


def _deliveries(job: Job) -> _Table:
    return _Table(
        "Deliveries",
        [
            ("Feed", False),
            ("Period", False),
            ("From", False),
            ("As at", False),
            ("Contract", False),
            ("SHA-256", False),
        ],
        [
            (
                one.feed,
                words(one.period_key or ""),
                "ICB" if one.organisation == "icb" else words(one.organisation),
                uk_date(one.reference_on) if one.reference_on else "",
                one.contract_version,
                one.content_sha256[:16],
            )
            for one in job.proof.deliveries
        ],
    )


def _rules(job: Job) -> _Table | None:
    """The rules that not every row passed. How many failed is told where the rows themselves are in the pack."""
    is_exact = not isinstance(job.declaration, StatisticalDeclaration)
    failing = [one for one in job.proof.rules if one.outcome != "pass"]
    if not failing:
        return None
    return _Table(
        "Rules with rows to look at",
        [("Rule", False), ("What it looks for", False), ("Severity", False), ("Outcome", False)],
        [(one.rule, one.message, one.severity, _outcome(one, is_exact=is_exact)) for one in failing],
    )


def _outcome(result: RuleResult, *, is_exact: bool) -> str:
    said = _OUTCOMES.get(result.outcome, result.outcome)
    return f"{result.failing_rows:,} {said}" if is_exact and result.outcome == "fail" and result.failing_rows else said


_CHECKS = (
    ("With the program", "verify_pack.py lies beside the packs, with how-to-check.html. It needs Python alone, and "
     "checks the files, the seal and who signed.", "python verify_pack.py FOLDER --key FINGERPRINT"),
    ("Windows, in PowerShell", "Files only, in the folder of the pack.", pages.POWERSHELL_CHECK),
    ("Linux", "Files only.", f"sha256sum --check {SUMS}"),
    ("macOS", "Files only.", f"shasum -a 256 --check {SUMS}"),
)  # fmt: skip


def _questions(job: Job) -> list[tuple[str, str]]:
    """What to quote, and the command by which the partnership then finds where it came from."""
    release_id, declaration = _release_id(job), job.declaration
    if isinstance(declaration, StatisticalDeclaration):
        return [
            (
                "Where a figure comes from: quote the release and the code of the indicator or measure.",
                f"send-returns trace {release_id} --indicator {_EXAMPLES.get(declaration.return_name, 'EHC01')}",
            )
        ]
    name = next(name for name in declaration.lists if name != _HEADER)
    return [
        (
            "Where a row comes from: quote the release, the list and the row as a spreadsheet numbers it, the headings"
            " being row 1. Add the column for one cell.",
            f"send-returns trace {release_id} --list {name} --row 2",
        )
    ]
