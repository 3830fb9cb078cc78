"""The priority action plan for the board: actions, milestones, where indicators are heading, and what is at risk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from send_returns import warehouse
from send_returns.returns import chart_drawing, indicators, tables
from send_returns.returns.indicators import VARIATIONS, Figure, Measure
from send_returns.returns.job import Job
from send_returns.returns.pages import html, long_date, words
from send_returns.returns.tables import Cell, Column, Sheet
from send_returns.returns.trajectory import OUTLOOKS, Aim, Trajectory, trajectory

_ORGANISATIONS = {"icb": "ICB"}
_STATUSES = {"complete": "Complete", "green": "Green", "amber": "Amber", "red": "Red", "not_started": "Not started"}
_NOTES = {
    "status": "What the owner of the action or milestone says. Whether it is late follows from its dates.",
    "chart": "The latest point of the control chart, drawn of the figures that are shown: whether the indicator has"
    " changed, or varies as it always does. [c] where a figure is hidden, [z] where there are no monthly figures.",
    "forecast": "The straight line through the latest twelve months, on the day that the milestones for the indicator"
    " are due. There is none after that day, or where one of the months is hidden.",
    "baseline": "The first month that the action had any part in.",
}
_ABOUT = (
    "Actions, Milestones and Trajectories each have a worksheet; Risks has what is late, what no indicator shows, what"
    " misses its target and what moves the wrong way.",
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Heading:
    """An aim of an action, its measure, and where that is heading."""

    aim: Row
    measure: Measure
    trajectory: Trajectory


@dataclass(frozen=True)
class _Plan:
    """The plan as it stands on a day."""

    as_of: date
    actions: Sequence[Row]
    milestones: Sequence[Row]
    headings: Sequence[_Heading]

    def of(self, action: Row) -> list[Row]:
        """The milestones of an action."""
        return [one for one in self.milestones if one["action_number"] == action["action_number"]]

    def is_action_late(self, action: Row) -> bool:
        """Whether an action is past its day, and neither its date nor its owner says that it is complete."""
        return action["completed_on"] is None and self._is_past(action) and action["status"] != "complete"

    def is_milestone_late(self, milestone: Row) -> bool:
        """Whether a milestone is past its day and not reached."""
        return milestone["achieved_on"] is None and self._is_past(milestone)

    def _is_past(self, one: Row) -> bool:
        return one["due_on"] is not None and one["due_on"] < self.as_of

    def risks(self) -> Iterator[tuple[str, Row, str]]:
        """What puts the plan at risk: its kind, the action, and what is the matter."""
        for action in self.actions:
            if self.is_action_late(action):
                yield "Late action", action, f"It was due on {long_date(action['due_on'])}."
        for action in self.actions:
            for one in self.of(action):
                if self.is_milestone_late(one):
                    yield "Late milestone", action, f"{one['title']}: due on {long_date(one['due_on'])}."
        for action in self.actions:
            if all(heading.aim["action_number"] != action["action_number"] for heading in self.headings):
                yield "No indicator", action, "None of its milestones names an indicator that would show the change."
        by_number = {action["action_number"]: action for action in self.actions}
        for heading in self.headings:
            action, name = (
                by_number[heading.aim["action_number"]],
                f"{heading.aim['measure']}: {heading.aim['measure_name']}",
            )
            if heading.trajectory.outlook in ("missed", "off_track"):
                yield OUTLOOKS[heading.trajectory.outlook], action, f"{name}."
            if heading.measure.variation.startswith("concerning"):
                yield "Moves the wrong way", action, f"{name}. {VARIATIONS[heading.measure.variation]}."


def render(job: Job, folder: Path) -> Mapping[str, int]:
    """Writes the workbook and the page; returns rows by sheet."""
    plan = _read(job)
    sheets = [_actions(plan), _milestones(plan), _trajectories(plan), _risks(plan)]
    name = job.declaration.return_name
    tables.write(job, folder / f"{name}.xlsx", sheets, _NOTES, _ABOUT)
    (folder / f"{name}.html").write_bytes(_page(job, plan, sheets))
    return {sheet.label: len(sheet.rows) for sheet in sheets}


def _read(job: Job) -> _Plan:
    def rows(query: str) -> list[dict[str, Any]]:
        return warehouse.ask(job.connection, query, [job.proof.run.partnership])

    def titled(query: str) -> list[dict[str, Any]]:
        return [{**row, "title": row["title"] or "[x]"} for row in rows(query)]

    aims = rows(
        "select * from returns.return_improvement_plan_progress__aim where partnership = %s"
        ' order by action_number collate "C", measure collate "C"'
    )
    baselines = rows(
        "select distinct measure, baselines_from_on from returns.return_area_send_evidence__indicator"
        " where partnership = %s"
    )
    decided = {row["measure"]: row["baselines_from_on"] for row in baselines}
    figures = indicators.of_partnership(job.frame, {aim["measure"] for aim in aims})
    as_of = job.proof.run.as_of
    headings = []
    for aim in aims:
        measure = indicators.measure(
            figures.get(aim["measure"], {}),
            aim["headline_period"],
            decided[aim["measure"]],
            aim["better"],
            aim["target"],
        )
        towards = Aim(aim["started_on"], aim["due_on"], aim["better"], aim["target"], aim["unit"] == "percent")
        headings.append(_Heading(aim, measure, trajectory(measure, towards, as_of)))
    return _Plan(
        as_of,
        titled(
            "select * from returns.return_improvement_plan_progress__action where partnership = %s"
            ' order by action_number collate "C"'
        ),
        titled(
            "select * from returns.return_improvement_plan_progress__milestone where partnership = %s"
            ' order by action_number collate "C", due_on, milestone_number collate "C"'
        ),
        headings,
    )


def _actions(plan: _Plan) -> Sheet:
    rows: list[list[Cell]] = []
    for action in plan.actions:
        milestones = plan.of(action)
        open_ones = [one["due_on"] for one in milestones if one["achieved_on"] is None and one["due_on"] is not None]
        rows.append(
            [
                action["action_number"],
                action["priority"] or "[x]",
                action["title"],
                _owner(action),
                action["owner_role"] or "[x]",
                _day(action["started_on"]),
                _day(action["due_on"]),
                _day(action["completed_on"], "[z]"),
                _status(action),
                "Late" if plan.is_action_late(action) else "No",
                len(milestones),
                sum(one["achieved_on"] is not None for one in milestones),
                min(open_ones) if open_ones else "[z]",
            ]
        )
    return Sheet(
        "Actions",
        "The actions of the plan and where each stands",
        [f"The latest plan that was sent, judged on {long_date(plan.as_of)}."],
        [
            Column("Action", 11),
            Column("Answers", 12),
            Column("What is to be done", 46),
            Column("Owner", 16),
            Column("Role", 34),
            Column("Started", 14, "date"),
            Column("Due", 14, "date"),
            Column("Completed", 14, "date"),
            Column("Status", 14, "text", ("status",)),
            Column("Late", 9),
            Column("Milestones", 14, "count"),
            Column("Milestones reached", 14, "count"),
            Column("Next milestone due", 14, "date"),
        ],
        rows,
    )


def _milestones(plan: _Plan) -> Sheet:
    return Sheet(
        "Milestones",
        "The milestones of each action",
        ["In order of the action and of the day on which they are due."],
        [
            Column("Milestone", 13),
            Column("Action", 11),
            Column("What is to be reached", 50),
            Column("Indicator", 12),
            Column("Due", 14, "date"),
            Column("Reached", 14, "date"),
            Column("Status", 14, "text", ("status",)),
            Column("Late", 9),
        ],
        [
            [
                one["milestone_number"],
                one["action_number"],
                one["title"],
                one["indicator_code"] or "[z]",
                _day(one["due_on"]),
                _day(one["achieved_on"], "[z]"),
                _status(one),
                "Late" if plan.is_milestone_late(one) else "No",
            ]
            for one in plan.milestones
        ],
    )


def _trajectories(plan: _Plan) -> Sheet:
    rows: list[list[Cell]] = []
    for heading in plan.headings:
        aim, found = heading.aim, heading.trajectory
        rows.append(
            [
                aim["action_number"],
                aim["measure"],
                aim["measure_name"],
                aim["unit"],
                *_value(found.baseline, "[z]"),
                *_value(found.latest, "[x]"),
                "[z]" if aim["target"] is None else aim["target"],
                _day(aim["due_on"]),
                "[z]" if found.forecast is None else found.forecast,
                OUTLOOKS[found.outlook],
                VARIATIONS[heading.measure.variation],
            ]
        )
    return Sheet(
        "Trajectories",
        "Where the indicator of each action stands and is heading",
        ["An indicator that moves while an action runs is no proof that the action moved it."],
        [
            Column("Action", 11),
            Column("Code", 18),
            Column("Indicator", 46),
            Column("Unit", 18),
            Column("Baseline to", 14, "date", ("baseline",)),
            Column("Baseline", 13, "decimal", ("rounding", "baseline")),
            Column("Latest to", 14, "date"),
            Column("Latest", 13, "decimal", ("rounding", "symbols")),
            Column("Target", 11, "decimal"),
            Column("Due", 14, "date"),
            Column("Forecast", 13, "decimal", ("forecast",)),
            Column("Outlook", 18, "text", ("forecast",)),
            Column("Change", 27, "text", ("chart",)),
        ],
        rows,
    )


def _risks(plan: _Plan) -> Sheet:
    rows: list[list[Cell]] = [
        [kind, action["action_number"], action["title"], _owner(action), what] for kind, action, what in plan.risks()
    ]
    return Sheet(
        "Risks",
        "What puts the plan at risk",
        ["What is late, what no indicator shows, what misses its target, and what moves the wrong way."],
        [
            Column("Risk", 22),
            Column("Action", 11),
            Column("What is to be done", 48),
            Column("Owner", 16),
            Column("What is the matter", 70),
        ],
        rows or [["None", "[z]", "[z]", "[z]", "Nothing of this kind was found."]],
    )


def _owner(action: Row) -> str:
    owner = str(action["owner_organisation"] or "[x]")
    return _ORGANISATIONS.get(owner, words(owner) if owner.islower() else owner)


def _status(one: Row) -> str:
    return _STATUSES.get(one["status"], str(one["status"] or "[x]"))


def _day(day: date | None, symbol: str = "[x]") -> Cell:
    return symbol if day is None else day


def _value(one: Figure | None, symbol: str) -> list[Cell]:
    """The last day of a figure's period, and its value or the symbol in its place."""
    return [symbol, symbol] if one is None else [one.to_on, one.cell]


def _page(job: Job, plan: _Plan, sheets: Sequence[Sheet]) -> bytes:
    states = {name: sum(_status(action) == name for action in plan.actions) for name in _STATUSES.values()}
    late = sum(plan.is_action_late(action) for action in plan.actions)
    charts = {
        heading.aim["measure"]: {
            "code": heading.aim["measure"],
            "name": heading.aim["measure_name"],
            "unit": heading.aim["unit"],
            "svg": chart_drawing.svg(heading.measure.chart, heading.aim["target"]),
            "text": indicators.described(heading.measure.chart, heading.aim["unit"], heading.aim["target"]),
        }
        for heading in plan.headings
        if indicators.is_drawn(heading.measure)
    }
    return html.page(
        job,
        "improvement_plan_progress.html",
        states=states,
        late=late,
        late_milestones=sum(plan.is_milestone_late(one) for one in plan.milestones),
        # What is at risk comes first: a board has little time.
        sections=[
            (sheet, [[_text(cell) for cell in row] for row in sheet.rows]) for sheet in (sheets[-1], *sheets[:-1])
        ],
        charts=sorted(charts.values(), key=lambda one: one["code"]),
        symbols=tables.SYMBOLS,
        notes={**tables.NOTES, **_NOTES},
    )


def _text(cell: Cell) -> str:
    return long_date(cell) if isinstance(cell, date) else str(cell)
