"""The three returns of statistics, of a county's figures after disclosure control: what is in them, and what is not."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import psycopg
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from send_returns.quality import rules
from send_returns.returns import control_chart, declarations, indicators, tables
from send_returns.returns.control_chart import Observation
from send_returns.returns.evidence import Evidence, Run
from send_returns.returns.job import REHEARSAL, Job
from send_returns.returns.renderers import RENDERERS
from send_returns.returns.tables import Column, Sheet
from send_returns.returns.trajectory import Aim, trajectory
from send_returns.settings import Settings
from send_returns.warehouse import connect

AS_OF = date(2026, 10, 30)
RETURNS = ("area_send_evidence", "health_waits", "improvement_plan_progress")
PAGES = ("area_send_evidence", "improvement_plan_progress")
CHROMIUM = Path("/usr/bin/chromium")
_COLUMNS = (
    "return_table, measure, period_kind, period_from_on, period_to_on, geography_type, geography_code, breakdown,"
    " breakdown_value, numerator, denominator, value, status, statistic, per"
)
_EXACT = f"""
select {_COLUMNS} from (
    select 'indicator' as return_table, mart.*, measure.statistic, measure.per
    from candidate_marts.mart_indicator as mart join candidate_reference.indicator_measures as measure using (measure)
) as figure
union all
select {_COLUMNS} from returns.return_health_waits__figure
order by 1, 2, 3, 5, 6, 7, 8, 9
"""


@dataclass(frozen=True)
class Released:
    """The files of each return, and the figures that they were made of."""

    settings: Settings
    folder: Path
    exact: pl.DataFrame
    frame: pl.DataFrame

    def book(self, name: str) -> openpyxl.Workbook:
        return openpyxl.load_workbook(self.folder / f"{name}.xlsx")


def _exact(connection: psycopg.Connection) -> pl.DataFrame:
    cursor = connection.execute(_EXACT)
    names = [column.name for column in cursor.description or ()]
    numbers = ("numerator", "denominator", "value")
    frame = pl.DataFrame(cursor.fetchall(), schema=names, orient="row", infer_schema_length=None)
    return frame.with_columns(pl.col(*numbers).cast(pl.Float64))


def _protected(exact: pl.DataFrame) -> pl.DataFrame:
    """Rounded, and without what is small: disclosure control in outline, enough to see what becomes of each status."""
    parts = pl.col("numerator", "denominator")
    is_small = pl.any_horizontal(parts.is_between(1, 7)) & (pl.col("statistic") != "ratio")
    rest = pl.col("denominator") - pl.col("numerator")
    is_small |= (pl.col("statistic") == "share") & rest.is_between(1, 7)
    status = pl.when(pl.col("value").is_null()).then(pl.lit("x")).when(is_small).then(pl.lit("c")).otherwise(pl.lit(""))
    rounded = exact.with_columns(status=status).with_columns(
        pl.when(pl.col("status") == "").then((parts / 5).round() * 5),
    )
    share = (pl.col("per") * pl.col("numerator") / pl.col("denominator")).round(1)
    value = (
        pl.when(pl.col("status") != "")
        .then(None)
        .when(pl.col("statistic") == "count")
        .then(pl.col("numerator"))
        .when(pl.col("statistic").is_in(["share", "rate"]))
        .then(pl.when(pl.col("denominator") > 0).then(share))
        .otherwise(pl.col("value"))
    )
    return rounded.with_columns(value=value)


def job(connection: psycopg.Connection, name: str, frame: pl.DataFrame, *, is_rehearsal: bool = True) -> Job:
    @dataclass
    class Given:
        frame: pl.DataFrame

    run = Run("r0123456789abcdef", "hertfordshire", AS_OF, "0.1.0", "ab" * 32)
    return Job(connection, declarations.load(name), Evidence(run, [], [], [], [], []), 1, is_rehearsal, Given(frame))


@pytest.fixture(scope="module")
def released(
    county: Any,
    copy_of: Callable[[Settings, Path], AbstractContextManager[Settings]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Released]:
    """Each return of a copy of the county, rendered in a rehearsal."""
    folder = tmp_path_factory.mktemp("released")
    with copy_of(county.settings, folder / "home") as settings:
        with connect(settings) as connection:
            connection.execute("alter schema candidate_returns rename to returns")
            exact = _exact(connection)
            frame = _protected(exact)
            for name in RETURNS:
                RENDERERS[name](job(connection, name, frame), folder)
        yield Released(settings, folder, exact, frame)


def _tables(book: openpyxl.Workbook) -> Iterator[tuple[Worksheet, list[list[Any]]]]:
    """Each sheet with a table, and its rows, the headings first."""
    for sheet in book.worksheets:
        for table in sheet.tables.values():
            yield sheet, [[cell.value for cell in row] for row in sheet[table.ref]]


@pytest.mark.parametrize("name", RETURNS)
def test_a_workbook_is_one_that_everybody_can_read(released: Released, name: str) -> None:
    book = released.book(name)
    assert book.sheetnames[:3] == ["Cover", "Contents", "Notes"]
    assert (book.properties.created, book.properties.description) == (datetime.combine(AS_OF, time.min), REHEARSAL)
    found = {sheet.title: rows for sheet, rows in _tables(book)}
    assert list(found) == book.sheetnames[1:]
    notes = {f"[note {row[0]}]" for row in found["Notes"][1:]}
    for sheet, rows in _tables(book):
        assert isinstance(sheet["A1"].value, str)
        assert not sheet.merged_cells.ranges
        assert len(sheet.tables) == 1
        assert all(cell not in (None, "") for row in rows for cell in row), sheet.title
        assert len(set(rows[0])) == len(rows[0])
        assert {note for heading in rows[0] for note in re.findall(r"\[note \d+\]", heading)} <= notes
        assert not [cell.coordinate for row in sheet.rows for cell in row if cell.data_type == "f"]
        assert str(sheet["A2"].value).startswith(REHEARSAL)
        if sheet.title not in ("Contents", "Notes"):
            first = next(iter(sheet.tables.values())).ref.partition(":")[0]
            header = sheet[first].row
            assert sheet.freeze_panes == f"B{header + 1}"
            assert sheet.print_title_rows == f"${header}:${header}"
            assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)
        assert REHEARSAL in sheet.oddHeader.center.text
    assert [row[0] for row in found["Contents"][1:]] == book.sheetnames[3:]


@pytest.mark.parametrize(("name", "heading"), [(RETURNS[0], "(Num|Denom)inator"), (RETURNS[1], ".*")])
def test_no_count_is_shown_that_is_not_in_the_protected_figures(released: Released, name: str, heading: str) -> None:
    shown = {float(number) for column in ("numerator", "denominator") for number in released.frame[column].drop_nulls()}
    counts: list[float] = []
    for sheet, rows in _tables(released.book(name)):
        for column in zip(*rows, strict=True):
            if re.match(heading, column[0]) and sheet.title != "Notes" and "percent" not in column[0].lower():
                counts += [float(cell) for cell in column if isinstance(cell, int | float)]
    assert len(counts) > 500
    assert set(counts) <= shown
    assert not [number for number in counts if 0 < number < 8 or number % 5]


def test_the_waits_are_figures_like_all_others(released: Released) -> None:
    with connect(released.settings) as connection:
        columns, others = (
            connection.execute(
                "select column_name, data_type from information_schema.columns where table_schema = 'returns'"
                " and table_name = %s order by ordinal_position",
                [table],
            ).fetchall()
            for table in ("return_health_waits__figure", "return_statistics__figure")
        )
        autism = connection.execute(
            "select waits.numerator, waits.denominator, waits.value from returns.return_health_waits__figure as waits"
            " join candidate_marts.mart_indicator as mart on mart.measure = 'H04' and mart.is_headline"
            " and (mart.numerator, mart.denominator, mart.value)"
            " = (waits.numerator, waits.denominator, waits.value)"
            " where return_table = 'health_waits_autism' and waits.breakdown = 'total'"
            " and waits.geography_type = 'partnership'"
        ).fetchall()
    assert columns == others
    assert len(autism) == 1


def test_every_indicator_is_under_its_failings(released: Released) -> None:
    found = {sheet.title: rows[1:] for sheet, rows in _tables(released.book("area_send_evidence"))}
    with connect(released.settings) as connection:
        expected = connection.execute(
            "select failing, measure from candidate_reference.indicator_measures"
            " join candidate_reference.indicators using (indicator_code),"
            " string_to_table(failing_codes, ';') as failing order by 1, 2"
        ).fetchall()
    sheets = [(title, row[0]) for title, rows in found.items() if re.fullmatch(r"F\d\d", title) for row in rows]
    assert sheets == expected
    assert len({code for _, code in sheets}) == 117
    assert [row[0] for row in found["Definitions"]] == sorted({code for _, code in sheets})
    page = (released.folder / "area_send_evidence.html").read_text(encoding="utf-8")
    assert sorted(re.findall(r'<(?:h3|li) id="(\w+)"', page)) == [row[0] for row in found["Definitions"]]


def test_charts_of_exact_figures_are_those_of_the_mart(released: Released) -> None:
    with connect(released.settings) as connection:
        charts = connection.execute(
            "select measure, period_kind, better, target, array_agg(array[period_from_on, period_to_on] order by"
            " period_to_on), array_agg(array[value, mean, lower_limit, upper_limit] order by period_to_on),"
            " array_agg(array[variation, assurance] order by period_to_on) from candidate_marts.mart_indicator_spc"
            " join (select measure, better from candidate_reference.indicator_measures) as measure using (measure)"
            " where geography_type = 'partnership' group by 1, 2, 3, 4"
        ).fetchall()
    assert len(charts) > 80
    for measure, _, better, target, days, numbers, words in charts:
        observed = [Observation(*of, row[0]) for of, row in zip(days, numbers, strict=True)]
        drawn = control_chart.chart(observed, [], better, target)
        lines = [[point.value, point.mean, point.lower_limit, point.upper_limit] for point in drawn.points]
        assert lines == numbers, measure
        assert [[point.variation, point.assurance] for point in drawn.points] == words, measure
    assert {word for *_, words in charts for row in words for word in row} >= {"common_cause", "hit_and_miss"}


def test_trajectories_of_exact_figures_are_those_of_the_mart(released: Released) -> None:
    with connect(released.settings) as connection:
        rows = connection.execute(
            "select aim.measure, aim.headline_period, aim.better, aim.target, aim.started_on, aim.due_on,"
            " aim.unit = 'percent', baseline_value, latest_value, forecast_value, outlook"
            " from returns.return_improvement_plan_progress__aim as aim"
            " join candidate_marts.mart_improvement_trajectory using (action_number, measure)"
        ).fetchall()
    figures = indicators.of_partnership(released.exact, {row[0] for row in rows})
    assert len(rows) > 50
    for measure, period, better, target, started_on, due_on, is_percent, *expected in rows:
        kinds = figures[measure]
        found = trajectory(
            indicators.measure(kinds, period, [], better, target),
            Aim(started_on, due_on, better, target, is_percent),
            AS_OF,
        )
        values = [one.value if one else None for one in (found.baseline, found.latest)]
        assert [*values, found.forecast, found.outlook] == expected, measure
    assert len({row[-1] for row in rows}) > 3


def test_a_hidden_figure_takes_the_limits_and_the_forecast_with_it() -> None:
    months = [
        Observation(date(2025 + m // 12, m % 12 + 1, 1), date(2025 + m // 12, m % 12 + 1, 28), Decimal(m))
        for m in range(20)
    ]
    assert control_chart.chart(months, [], "higher").has_limits
    hidden = [*months[:3], Observation(months[3].from_on, months[3].to_on, None), *months[4:]]
    chart = control_chart.chart(hidden, [], "higher", Decimal(5))
    assert not chart.has_limits
    assert {(point.mean, point.variation, point.assurance) for point in chart.points} == {(None, "hidden", "hidden")}
    rows = {
        "geography_type": "partnership",
        "breakdown": "total",
        "measure": "M",
        "period_kind": "month",
        "numerator": None,
    }
    frame = pl.DataFrame(
        [
            rows
            | {"period_from_on": one.from_on, "period_to_on": one.to_on, "denominator": None, "value": number}
            | {"status": "" if number is not None else "c"}
            for place, one in enumerate(months)
            for number in [None if place == 15 else float(place)]
        ],
        infer_schema_length=None,
    )
    measure = indicators.measure(indicators.of_partnership(frame, {"M"})["M"], "month", [], "higher", Decimal(99))
    aim = Aim(date(2025, 1, 1), date(2027, 1, 1), "higher", Decimal(99), is_percent=True)
    assert trajectory(measure, aim, AS_OF).outlook == "no_forecast"
    assert indicators.described(measure.chart, "percent", None).endswith(
        "There are no limits, because a figure is hidden."
    )


def test_a_new_baseline_begins_where_it_was_decided() -> None:
    months = [
        Observation(
            date(2023 + m // 12, m % 12 + 1, 1), date(2023 + m // 12, m % 12 + 1, 28), Decimal(m % 3 + 50 * (m > 17))
        )
        for m in range(36)
    ]
    before, after = (control_chart.chart(months, decided, "higher") for decided in ([], [date(2024, 7, 1)]))
    assert len({point.mean for point in before.points}) == 1
    assert [point.mean for point in after.points] == [Decimal("1.00")] * 18 + [Decimal("51.00")] * 18


def test_what_a_supplier_wrote_is_text_and_nothing_else(released: Released, tmp_path: Path) -> None:
    texts = [
        date(1800, 1, 1), "=1+1", "[click](https://example.org)", "$$rounding$$", "<b>bold</b>", "—",
        "https://example.org", "+1",
    ]  # fmt: skip
    sheet = Sheet(
        "Plan", "Plan", [], [Column("What", 40), Column("Number", 10, "count")], [[text, 10] for text in texts]
    )
    with connect(released.settings) as connection:
        tables.write(
            job(connection, RETURNS[2], released.frame, is_rehearsal=False), tmp_path / "a.xlsx", [sheet], {}, []
        )
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    cells = [row[0] for row in book["Plan"].iter_rows(min_row=4)]
    assert [cell.value for cell in cells] == [
        "1 January 1800", "=1+1", "[click] (https://example.org)", "$ $rounding$ $", "<b>bold</b>", "[x]",
        "https://example.org", "+1",
    ]  # fmt: skip
    assert {cell.data_type for cell in cells} == {"s"}
    assert not [cell for cell in cells if cell.hyperlink]
    assert REHEARSAL not in str([list(sheet.values) for sheet in book])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_and_every_link_leads_somewhere(released: Released, name: str) -> None:
    page = (released.folder / f"{name}.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img|iframe)|@import|url\(|src=", page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {f"#{one}" for one in ids} >= set(re.findall(r'href="([^"]*)"', page))
    assert page.count("<svg") == page.count('<figure role="img"') > 5
    assert REHEARSAL in page


def test_a_page_escapes_what_it_was_given(released: Released, tmp_path: Path) -> None:
    with connect(released.settings) as connection:
        connection.execute(
            "update returns.return_improvement_plan_progress__action set title = E'<b>&\"\\u202e\\x01',"
            " started_on = null, due_on = null"
        )
        connection.execute("update returns.return_improvement_plan_progress__milestone set title = null")
        connection.execute("update returns.return_improvement_plan_progress__aim set started_on = null, due_on = null")
        RENDERERS[PAGES[1]](job(connection, PAGES[1], released.frame, is_rehearsal=False), tmp_path)
        connection.rollback()
    page = (tmp_path / f"{PAGES[1]}.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;&#34;\ufffd\ufffd" in page
    assert "None" not in page
    assert "REHEARSAL" not in page


_AGAIN = """
import sys
from pathlib import Path
import polars as pl
sys.path.insert(0, sys.argv[1])
import test_statistical_returns as tests
from send_returns.settings import Settings
from send_returns.warehouse import connect
folder = Path(sys.argv[2])
with connect(Settings(home=folder, database_url=sys.argv[3])) as connection:
    for name in tests.RETURNS:
        tests.RENDERERS[name](tests.job(connection, name, pl.read_parquet(folder / "frame.parquet")), folder)
"""


def test_another_place_makes_the_same_bytes(released: Released, tmp_path: Path) -> None:
    released.frame.write_parquet(tmp_path / "frame.parquet")
    # No font of the machine is to be found, and the day, the decimal sign and the order of sets are others.
    (tmp_path / "fonts.conf").write_text("<fontconfig></fontconfig>")
    elsewhere = {
        "TZ": "Pacific/Auckland",
        "LC_ALL": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "7",
        "FONTCONFIG_FILE": str(tmp_path / "fonts.conf"),
    }
    command = [sys.executable, "-c", _AGAIN, str(Path(__file__).parent), str(tmp_path), released.settings.database_url]
    subprocess.run([str(part) for part in command], check=True, env=os.environ | elsewhere)
    files = sorted(path.name for suffix in ("xlsx", "html") for path in released.folder.glob(f"*.{suffix}"))
    assert len(files) == 5
    for name in files:
        assert (tmp_path / name).read_bytes() == (released.folder / name).read_bytes(), name


_BREAKS = {
    "evidence.not_empty": "delete from returns.return_area_send_evidence__indicator",
    "evidence.every_indicator": "delete from returns.return_area_send_evidence__indicator where measure = 'H09'",
    "evidence.counts": "update candidate_marts.mart_indicator set numerator = -1 where measure = 'H09' and is_headline",
    "evidence.districts": "update candidate_marts.mart_indicator set denominator = 99999 where measure = 'H09'"
    " and geography_type = 'district' and breakdown = 'total'",
    **{
        f"evidence.GT0{n}": f"update candidate_marts.mart_golden_thread set is_met = false where check_code = 'GT0{n}'"
        for n in range(1, 8)
    },
    "waits.not_empty": "update returns.return_health_waits__figure set numerator = 0",
    "waits.services": "update returns.return_health_waits__figure set numerator = numerator + 1"
    " where breakdown_value = 'total | total | total' and return_table = 'health_waits_trend'",
    "waits.bands": "update returns.return_health_waits__figure set numerator = numerator + 1"
    " where breakdown_value = 'autism | over 52 weeks | total' and geography_type = 'partnership'",
    "waits.districts": "update returns.return_health_waits__figure set numerator = numerator + 1"
    " where breakdown_value = 'autism | over 52 weeks | total' and geography_type = 'partnership'",
    "waits.providers": "update returns.return_health_waits__figure set numerator = numerator + 1"
    " where breakdown_value = 'autism | over 52 weeks | total' and geography_type = 'partnership'",
    "waits.autism": "update returns.return_health_waits__figure set numerator = numerator + 1"
    " where return_table = 'health_waits_autism' and geography_type = 'district'",
    "plan.not_empty.action": "delete from returns.return_improvement_plan_progress__action",
    "plan.not_empty.milestone": "delete from returns.return_improvement_plan_progress__milestone",
    "plan.not_empty.aim": "delete from returns.return_improvement_plan_progress__aim",
    "plan.milestone_of_action": "update returns.return_improvement_plan_progress__milestone set action_number = null",
    "plan.text.action": "update returns.return_improvement_plan_progress__action set title = repeat('a', 2001)",
    "plan.text.milestone": "update returns.return_improvement_plan_progress__milestone set title = repeat('a', 2001)",
    "plan.milestone_indicator": "update returns.return_improvement_plan_progress__milestone set indicator_code = 'Z9'",
    "plan.dated": "update returns.return_improvement_plan_progress__action set due_on = null",
    "plan.complete": "update returns.return_improvement_plan_progress__action set completed_on = null",
}


def test_each_rule_of_a_return_passes_and_sees_what_it_is_for(released: Released) -> None:
    own = {rule.code: rule for rule in rules.load(AS_OF, "gate") if rule.suite in RETURNS}
    assert set(own) == set(_BREAKS)
    given: dict[str, Any] = {"run_id": "r1", "partnership": "hertfordshire", "as_of": AS_OF}
    with connect(released.settings) as connection:
        connection.execute("set search_path = returns, candidate_marts")
        for code, rule in own.items():
            select, checked = (rule.sql(str(text), given) for text in (rule.select, rule.checked))
            [[looked_at]] = connection.execute(checked.encode()).fetchall()
            assert looked_at > 0, code
            assert not connection.execute(select.encode()).fetchall(), code
            with connection.transaction(force_rollback=True):
                connection.execute(_BREAKS[code].encode())
                assert connection.execute(select.encode()).fetchall(), code


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
@pytest.mark.parametrize("name", PAGES)
def test_a_page_passes_the_checks_of_wcag_and_reads_on_a_phone(released: Released, name: str) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 360, "height": 800})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((released.folder / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert len(asked) == 1
        # Of each kind of part some: a page of fifty charts takes a minute to check.
        page.evaluate("document.querySelectorAll('main > section').forEach((one, at) => { if (at > 3) one.remove() })")
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        violations = Axe().run(page, options={"runOnly": tags}).response["violations"]
        browser.close()
    assert not violations, json.dumps([one["id"] for one in violations])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice (soffice) is not installed")
def test_libreoffice_opens_every_workbook(released: Released, tmp_path: Path) -> None:
    office = ["soffice", "--headless", f"-env:UserInstallation=file://{tmp_path}/office", "--convert-to", "pdf"]
    books = [str(released.folder / f"{name}.xlsx") for name in RETURNS]
    subprocess.run([*office, "--outdir", str(tmp_path), *books], check=True, capture_output=True, timeout=200)
    for name in RETURNS:
        pdf = (tmp_path / f"{name}.pdf").read_bytes()
        assert pdf.startswith(b"%PDF")
        assert len(released.book(name).sheetnames) <= pdf.count(b"/Type/Page/") < 100
