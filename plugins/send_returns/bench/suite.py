"""What `send-returns bench` runs: a county in a home of its own, the whole job, then each room against its baseline."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from send_returns import clock, demonstration, warehouse
from send_returns import settings as settings_module
from send_returns.failure import Failure
from send_returns.settings import Settings, code_version

if TYPE_CHECKING:
    import polars

COUNTY = ("whole run", "orchestration", "peak memory", "second run", "landing", "dbt", "gate")
STREAMING = ("streaming", "scaling")
FIGURES = (
    "simulation",
    *COUNTY,
    "dbt delta",
    "dbt scale",
    "truth",
    "linkage",
    "linkage scale",
    "disclosure",
    *STREAMING,
)
SMALL_COUNTY = 300
GIGABYTE = 1024**3


class BenchError(Failure):
    """A measured command failed; its log says why."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A command's wall seconds and the greatest resident memory, in bytes, of any one process below it."""

    seconds: float
    peak_bytes: int


def bench(*, children: int, seed: int, as_of: date, only: Sequence[str] | None = None) -> None:
    """Print the figures as JSON lines on stdout. `only` picks from FIGURES. Raises BenchError when a command fails."""
    if unknown := sorted(set(only or ()) - set(FIGURES)):
        raise BenchError(f"No figure is called {', '.join(unknown)}: choose from {', '.join(FIGURES)}.")
    wanted = set(only or FIGURES)
    home = settings_module.load().folder("bench")
    settings = Settings(home=home)
    # What a bench that was killed left behind would be measured as well.
    warehouse.stop_server(settings, remove=True)
    shutil.rmtree(home)
    home.mkdir(mode=0o700)
    demonstration.make_keys(settings, lambda _: None)
    try:
        if "simulation" in wanted:
            _simulate(settings, children=children, seed=seed, as_of=as_of)
        if wanted & set(COUNTY):
            _measure(settings, wanted, children=children, seed=seed, as_of=as_of)
        if "dbt delta" in wanted:
            _build_less(settings, children=children, seed=seed, as_of=as_of)
        if "dbt scale" in wanted:
            _build_more(settings, children=children, seed=seed, as_of=as_of)
        if "truth" in wanted:
            _tell_the_truth(settings, children=children, seed=seed, as_of=as_of)
        if "linkage" in wanted:
            _link(settings, children=children, seed=seed, as_of=as_of)
        if "linkage scale" in wanted:
            _link_more(settings, children=children, seed=seed, as_of=as_of)
        if "disclosure" in wanted:
            _protect(settings, seed=seed, as_of=as_of)
        if wanted & set(STREAMING):
            _stream(settings, wanted, as_of)
    finally:
        warehouse.stop_server(settings, remove=True)
        shutil.rmtree(home, ignore_errors=True)


def _simulate(settings: Settings, *, children: int, seed: int, as_of: date) -> None:
    """Write a county, and ten times as many children: the time for each, and the memory of the ten against the one."""
    from send_returns.bench.simulation import counties

    def write(count: int, out: Path) -> Measured:
        arguments = ("simulate", "--out", str(out), "--children", str(count), "--seed", str(seed))
        return _command(settings, f"simulate-{count}", "-m", "send_returns.cli", *arguments, "--as-of", str(as_of))

    one, ten = counties(settings, children, write)
    for county, goal in ((one, 60.0), (ten, 600.0)):
        _line(
            "simulation",
            {"children": county.children, "code": code_version(), "cores": os.cpu_count()},
            seconds=county.seconds,
            baseline="goal for a county, and for ten",
            baseline_seconds=goal,
            inbox_gigabytes=county.size / GIGABYTE,
            gigabytes=county.peak_bytes / GIGABYTE,
            times_the_memory=county.peak_bytes / one.peak_bytes,
        )


def _measure(settings: Settings, wanted: set[str], *, children: int, seed: int, as_of: date) -> None:
    where = {"children": children, "code": code_version(), "cores": os.cpu_count()}
    inbox = _county(settings, where, seed=seed, as_of=as_of) / "inbox"

    # Directly first: it leaves the operating system's cache as warm for the DAGs as the DAGs would leave it for it.
    direct = _command(settings, "direct", "-m", "send_returns.bench.direct", str(inbox), str(as_of))
    warehouse.ensure_server(settings)
    warehouse.embedded.empty_warehouse(settings)
    shutil.rmtree(settings.home / "archive", ignore_errors=True)
    warehouse.stop_server(settings)

    output = settings.home / "output"
    arguments = (
        "-m",
        "send_returns.cli",
        "run",
        "--rehearse",
        "--inbox",
        str(inbox),
        "--output",
        str(output),
        *_at(as_of),
    )
    whole = _command(settings, "run", *arguments)
    if "whole run" in wanted:
        _line("whole run", where, seconds=whole.seconds, baseline="goal at county scale", baseline_seconds=180.0)
    if "orchestration" in wanted:
        share = (whole.seconds - direct.seconds) / whole.seconds
        _line(
            "orchestration",
            where,
            seconds=whole.seconds,
            baseline="the same stages called directly",
            baseline_seconds=direct.seconds,
            share_of_run=round(share, 3),
            goal=0.30,
        )
    if "peak memory" in wanted:
        peak = whole.peak_bytes / GIGABYTE
        _line("peak memory", where, gigabytes=peak, baseline="goal", baseline_gigabytes=4.0, ratio=peak / 4.0)
    if "second run" in wanted:
        second = _command(settings, "second", *arguments)
        _line("second run", where, seconds=second.seconds, baseline="first run", baseline_seconds=whole.seconds)

    from send_returns.bench.disclosure import exact_figures

    with warehouse.running(settings):
        run_id = _live_run(settings)
        for figure, goal, measure in _rooms(settings, inbox, run_id):
            if figure in wanted:
                _line(figure, where, goal=goal, **measure())
        if "disclosure" in wanted:
            _attack(where, exact_figures(settings))


def _county(settings: Settings, where: Mapping[str, Any], *, seed: int, as_of: date) -> Path:
    """The simulated county that is measured, written when it is first asked for: its inbox/ and truth/."""
    from send_returns.simulate import simulate

    county = settings.home / "county"
    if not county.exists():
        started = clock.monotonic()
        rows = simulate(county, children=where["children"], seed=seed, as_of=as_of, mess="realistic")
        _line("simulate", where, seconds=clock.monotonic() - started, rows=sum(rows.values()))
    return county


def _build_less(settings: Settings, *, children: int, seed: int, as_of: date) -> None:
    """Build a county, and then what a day's delta changes: the seconds of each against those of everything."""
    from send_returns.bench.dbt import deltas

    where = {"children": children, "code": code_version(), "cores": os.cpu_count()}
    county = _county(settings, where, seed=seed, as_of=as_of)
    with warehouse.running(settings):
        warehouse.migrate(settings)
        for figure in deltas(settings, county, as_of):
            _line("dbt delta", where, baseline="everything built", goal=0.15, **figure)


def _build_more(settings: Settings, *, children: int, seed: int, as_of: date) -> None:
    """Build a tenth of the county, and the county: ten times the children in eleven times the seconds at most."""
    from send_returns.bench.dbt import full_seconds
    from send_returns.bench.scratch import scratch
    from send_returns.simulate import simulate

    taken: list[float] = []
    with warehouse.running(settings):
        warehouse.migrate(settings)
        for count in (children // 10, children):
            folder = settings.folder("dbt scale")
            simulate(folder, children=count, seed=seed, as_of=as_of, mess="realistic")
            with scratch(settings) as database:
                taken.append(full_seconds(database, folder / "inbox", as_of))
            shutil.rmtree(folder)
            _line(
                "dbt scale",
                {"children": count, "code": code_version(), "cores": os.cpu_count()},
                seconds=taken[-1],
                baseline="a tenth of the children",
                baseline_seconds=taken[0],
                goal=11.0,
            )


def _tell_the_truth(settings: Settings, *, children: int, seed: int, as_of: date) -> None:
    """Build the county from files without mess and with it: how many indicators are the truth to the last case."""
    from send_returns.bench.truth import against_truth

    where = {"children": children, "code": code_version(), "cores": os.cpu_count()}
    with warehouse.running(settings):
        warehouse.migrate(settings)
        for figure in against_truth(settings, children=children, seed=seed, as_of=as_of):
            _line("truth", where, digits=4, baseline="the simulation's own truth", **figure)


def _link(settings: Settings, *, children: int, seed: int, as_of: date) -> None:
    """Link the county from nothing: the time and the quality against their goals, and the baselines' quality."""
    from send_returns.bench.linkage import linkage_figures

    where = {"children": children, "code": code_version(), "cores": os.cpu_count()}
    county = _county(settings, where, seed=seed, as_of=as_of)
    with warehouse.running(settings):
        warehouse.migrate(settings)
        figures = linkage_figures(settings, county, as_of)
    goals = {"goal_precision": 0.999, "goal_recall": 0.98, "goal_seconds": 25.0, "goal_delta_of_seconds": 0.15}
    _line("linkage", where, digits=5, baseline="exact numbers, and several passes", **goals, **figures)


def _protect(settings: Settings, *, seed: int, as_of: date) -> None:
    """Protect a small county, where most counts are small, and attack what comes out."""
    from send_returns.bench.disclosure import small_county
    from send_returns.simulate import simulate

    folder = settings.folder("disclosure")
    simulate(folder, children=SMALL_COUNTY, seed=seed, as_of=as_of, mess="none")
    with warehouse.running(settings):
        warehouse.migrate(settings)
        exact = small_county(settings, folder, as_of)
    shutil.rmtree(folder)
    _attack({"children": SMALL_COUNTY, "code": code_version(), "cores": os.cpu_count()}, exact)


def _attack(where: Mapping[str, Any], exact: "polars.DataFrame") -> None:
    from send_returns.bench.disclosure import disclosure_figures

    goals = {"goal_recovered": 0, "goal_narrower": 0}
    _line("disclosure", where, baseline="1 to 7 alone hidden", **goals, **disclosure_figures(exact))


def _link_more(settings: Settings, *, children: int, seed: int, as_of: date) -> None:
    """Link a county, and ten times as many children, each from nothing and in a process of its own: time and memory."""
    from send_returns.bench.simulation import TIMES
    from send_returns.simulate import MOST_CHILDREN, simulate

    taken: list[Measured] = []
    for count in (children, min(children * TIMES, MOST_CHILDREN)):
        folder = settings.folder("linkage scale")
        simulate(folder, children=count, seed=seed, as_of=as_of, mess="realistic")
        with warehouse.running(settings):
            warehouse.embedded.empty_warehouse(settings)
            _command(settings, "land", "-m", "send_returns.cli", "land", "--inbox", str(folder / "inbox"), *_at(as_of))
            shutil.rmtree(folder)
            shutil.rmtree(settings.home / "archive", ignore_errors=True)
            taken.append(_command(settings, "link", "-m", "send_returns.cli", "link", *_at(as_of)))
        peak = taken[-1].peak_bytes / GIGABYTE
        _line(
            "linkage scale",
            {"children": count, "code": code_version(), "cores": os.cpu_count()},
            seconds=taken[-1].seconds,
            baseline="a county, and 4 gigabytes",
            baseline_seconds=taken[0].seconds,
            goal=11.0,
            gigabytes=peak,
            goal_gigabytes=4.0,
        )


def _at(as_of: date) -> tuple[str, str]:
    return "--as-of", str(as_of)


def _stream(settings: Settings, wanted: set[str], as_of: date) -> None:
    """Land files larger than the memory allowed, and ten times the rows against the time of one."""
    from send_returns.bench.streaming import landings

    def land(name: str, inbox: Path) -> Measured:
        arguments = ("land", "--inbox", str(inbox), "--as-of", str(as_of), "--organisation", "council")
        return _command(settings, f"land-{name}", "-m", "send_returns.cli", *arguments)

    where = {"code": code_version(), "cores": os.cpu_count()}
    with warehouse.running(settings):
        warehouse.migrate(settings)
        for kind, tenth, whole in landings(settings, as_of, land):
            of = {"format": kind, "rows": whole.rows, "file_gigabytes": round(whole.size / GIGABYTE, 3), **where}
            if "streaming" in wanted:
                peak = whole.peak_bytes / GIGABYTE
                _line("streaming", of, gigabytes=peak, baseline="goal", baseline_gigabytes=1.0, ratio=peak)
            if "scaling" in wanted:
                share = whole.rows / tenth.rows
                _line(
                    "scaling",
                    of,
                    seconds=whole.seconds,
                    baseline="a tenth of the rows",
                    baseline_seconds=tenth.seconds,
                    times_the_rows=share,
                    goal=1.1 * share,
                )


def _rooms(settings: Settings, inbox: Path, run_id: str) -> list[tuple[str, float, Callable[[], Mapping[str, Any]]]]:
    from send_returns.bench.dbt import dbt_ratio
    from send_returns.bench.gate import gate_ratio
    from send_returns.bench.landing import landing_ratio

    return [
        ("landing", 2.0, lambda: landing_ratio(settings, inbox)),
        ("dbt", 1.2, lambda: dbt_ratio(settings, run_id)),
        ("gate", 2.0, lambda: gate_ratio(settings, run_id)),
    ]


def _live_run(settings: Settings) -> str:
    from send_returns import stages

    return stages.live_run(settings)


def _line(figure: str, where: Mapping[str, Any], *, digits: int = 3, **measured: Any) -> None:  # noqa: ANN401 - counts, seconds, names
    values = {name: round(value, digits) if isinstance(value, float) else value for name, value in measured.items()}
    if "ratio" not in values and "baseline_seconds" in values:
        values["ratio"] = round(measured["seconds"] / measured["baseline_seconds"], 3)
    sys.stdout.write(json.dumps({"figure": figure, **values, **where}) + "\n")
    sys.stdout.flush()


def _command(settings: Settings, name: str, *arguments: str) -> Measured:
    """Run our own interpreter with `arguments`, its output in a log, and watch the memory of all below it."""
    log = settings.folder("logs") / f"bench-{name}.log"
    environment = {**os.environ, "SEND_RETURNS_HOME": str(settings.home)}
    with log.open("w") as output:
        started = clock.monotonic()
        process = subprocess.Popen([sys.executable, *arguments], stdout=output, stderr=output, env=environment)
        peak = _Peak(settings, process.pid)
        peak.start()
        code = process.wait()
        seconds = clock.monotonic() - started
        peak.stop.set()
        peak.join()
    if code:
        sys.stderr.write("".join(log.read_text().splitlines(keepends=True)[-5:]))
        raise BenchError(f"`{name}` ended with exit code {code}.")
    return Measured(seconds, peak.bytes)


class _Peak(threading.Thread):
    """Samples, ten times a second, the resident memory of a process, of what it started and of the database server."""

    def __init__(self, settings: Settings, pid: int) -> None:
        super().__init__(daemon=True)
        self.settings = settings
        self.process = psutil.Process(pid)
        self.stop = threading.Event()
        self.bytes = 0

    def run(self) -> None:
        server: int | None = None
        while not self.stop.wait(0.1):
            self._sample(self.process, is_server=False)
            server = server or warehouse.embedded.server_pid(self.settings)
            if server and psutil.pid_exists(server):
                self._sample(psutil.Process(server), is_server=True)

    def _sample(self, root: psutil.Process, *, is_server: bool) -> None:
        try:
            for process in (root, *root.children(recursive=True)):
                memory = process.memory_info()
                # Every backend counts the shared buffers that it touched as its own.
                self.bytes = max(self.bytes, memory.rss - (memory.shared if is_server else 0))
        except psutil.Error:
            return  # it ended between the look at the list and the look at the process
