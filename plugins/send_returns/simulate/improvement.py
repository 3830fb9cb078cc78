"""The partnership's priority action plan: actions that answer what inspectors found, and milestones with indicators."""

from datetime import date

import numpy as np
import polars as pl

from send_returns.simulate.calendar import last_month_end
from send_returns.simulate.draw import codes, dates_if, day, shifted, stream, texts_if

ON_TRACK = ("complete", "green")
# Area, what is to be done, whose it is, and the indicators of its milestones.
_ACTIONS: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("PA1", "Publish one dashboard of the partnership every month", "partnership", ("G01", "G02", "G04")),
    ("PA1", "Match children across education, health and social care", "icb", ("G03", "H13")),
    ("PA1", "Agree one definition of each indicator", "partnership", ("G02",)),
    ("PA1", "Report waits by district", "icb", ("H08",)),
    ("PA2", "Hold every action to its milestones at the improvement board", "partnership", ("G05",)),
    ("PA2", "Audit plans together with health and social care", "council", ("Q01", "Q02")),
    ("PA2", "Check that advice comes in time from each body", "partnership", ("EHC12", "EHC13", "EHC14")),
    ("PA2", "Review the health of looked after children with a plan", "provider", ("S06",)),
    ("AFI1", "Shorten the wait for an autism assessment", "provider", ("H04", "H05")),
    ("AFI1", "Offer one pathway for autism and ADHD", "icb", ("H06", "H07")),
    ("AFI1", "Bring speech and language waits within 18 weeks", "provider", ("H09", "H10")),
    ("AFI1", "See children in audiology within six weeks", "provider", ("H11",)),
    ("AFI1", "Start mental health help within four weeks", "provider", ("H01", "H02")),
    ("AFI2", "Issue plans within 20 weeks", "council", ("EHC01", "EHC03", "EHC07")),
    ("AFI2", "Hold annual reviews within 12 months", "council", ("AR01", "AR05")),
    ("AFI2", "Send amended plans within 12 weeks", "council", ("AR02", "AR03", "AR04")),
    ("AFI2", "Finish phase transfers by the dates of law", "council", ("PT01", "PT02")),
    ("AFI2", "Answer families within five working days", "council", ("C02", "C03", "C05")),
    ("AFI3", "Make provision specific and quantified", "council", ("Q04", "Q03")),
    ("AFI3", "Record the child's own view in section A", "school", ("V01", "V02")),
    ("AFI3", "Fill health and care sections where an agency is involved", "partnership", ("Q05",)),
    ("AFI4", "Identify needs before a move to alternative provision", "school", ("X05", "X06")),
    ("AFI4", "Monitor part-time timetables and exclusions", "council", ("P03", "X01", "X02")),
    ("AFI4", "Know why children with SEND are educated at home", "council", ("E02", "E03")),
    ("AFI5", "Commission more short breaks with families", "council", ("S01", "S02", "S03")),
    ("AFI5", "Open specialist places near home", "council", ("P01",)),
]  # fmt: skip
_ROLES = {
    "partnership": "Chair of the improvement board", "council": "Director of education",
    "icb": "Director of children's commissioning", "provider": "Chief operating officer",
    "school": "Chair of headteachers",
}  # fmt: skip
_STARTED = date(2024, 1, 15)
_MILESTONES = ("{} is measured and reported", "{} is halfway to its target", "{} is at its target")


def improvement_plan(seed: int, as_of: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Actions, and their milestones, as at the last day of the latest month. They are the county's, of no child."""
    rng = stream(seed, "improvement plan")
    until = day(last_month_end(as_of))
    size = len(_ACTIONS)
    started = shifted(np.full(size, min(day(_STARTED), until - 300)), rng.integers(0, 150, size))
    due = shifted(started, rng.integers(300, 1100, size))
    actions = pl.DataFrame(
        {
            "action": [f"A{number:02}" for number in range(1, size + 1)],
            "priority": [area for area, *_ in _ACTIONS],
            "title": [title for _, title, *_ in _ACTIONS],
            "owner": [owner for _, _, owner, _ in _ACTIONS],
            "role": [_ROLES[owner] for _, _, owner, _ in _ACTIONS],
        }
    ).with_columns(_state(rng, started, due, until))
    rows = [
        (f"A{number:02}", indicator, _MILESTONES[step].format(indicator), step)
        for number, (*_, indicators) in enumerate(_ACTIONS, 1)
        for indicator in indicators
        for step in range(len(_MILESTONES))
    ]
    position = np.array([int(action[1:]) - 1 for action, *_ in rows])
    share = np.array([(step + 1) / len(_MILESTONES) for *_, step in rows])
    begun = started[position]
    due_then = shifted(begun, ((due[position] - begun).astype(np.int64) * share).astype(np.int64))
    milestones = pl.DataFrame(
        {
            "milestone": [f"M{number:03}" for number in range(1, len(rows) + 1)],
            "action": [action for action, *_ in rows],
            "title": [title for *_, title, _ in rows],
            "indicator": [indicator for _, indicator, *_ in rows],
        }
    ).with_columns(_state(rng, begun, due_then, until))
    return actions, milestones.drop("started").rename({"completed": "achieved"})


def _state(
    rng: np.random.Generator, started: np.typing.NDArray[np.datetime64], due: np.typing.NDArray[np.datetime64],
    until: np.datetime64,
) -> list[pl.Series]:  # fmt: skip
    size = len(started)
    done = shifted(due, rng.integers(-60, 180, size))
    done = dates_if((done <= until) & (rng.random(size) < 0.8), done)
    late = np.isnat(done) & (due < until)
    state = np.select(
        [~np.isnat(done), late, started > until],
        ["complete", "red", "not_started"],
        codes(rng, {"green": 58, "amber": 32, "red": 10}, size),
    ).astype(object)
    return [
        pl.Series("started", started),
        pl.Series("due", due),
        pl.Series("completed", done),
        texts_if(np.full(size, fill_value=True), state).alias("status"),
    ]
