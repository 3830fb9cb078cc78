"""The counties that simulation is measured with are written, weighed, and taken away again."""

from datetime import date
from pathlib import Path

from send_returns import clock
from send_returns.bench import simulation
from send_returns.bench.suite import Measured
from send_returns.settings import Settings
from send_returns.simulate import simulate


def test_a_county_and_ten_times_its_children_are_measured(tmp_path: Path) -> None:
    written = []

    def write(count: int, out: Path) -> Measured:
        start = clock.monotonic()
        written.append(sum(simulate(out, children=count, seed=1, as_of=date(2026, 10, 30)).values()))
        return Measured(clock.monotonic() - start, count)

    one, ten = simulation.counties(Settings(home=tmp_path), 100, write)
    assert (one.children, ten.children) == (100, 1000)
    assert 4 < written[1] / written[0] < 10  # the registers of schools and places do not grow
    assert ten.size > 3 * one.size > 0
    assert min(one.seconds, ten.seconds) > 0
    assert list((tmp_path / "simulation").iterdir()) == []
