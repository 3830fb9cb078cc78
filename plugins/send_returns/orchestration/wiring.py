"""What the DAGs share: their parameters, assets and defaults, and the wrapper that makes a stage function an Airflow
task.

Imported whenever a DAG file is parsed, so nothing heavy is imported at the top.
"""

import calendar
import functools
import os
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from airflow.sdk import Asset, Param, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from send_returns import clock
from send_returns import settings as configuration
from send_returns.failure import Failure
from send_returns.settings import PACKAGE, Settings

if TYPE_CHECKING:
    from send_returns.stages import Mode

P = ParamSpec("P")
R = TypeVar("R")

OWNER = "send-returns"
LONDON = "Europe/London"

COUNCIL = Asset(name="council_deliveries", uri="send-returns://council/deliveries", group="deliveries")
ICB = Asset(name="icb_deliveries", uri="send-returns://icb/deliveries", group="deliveries")
REFERENCE = Asset(name="reference_deliveries", uri="send-returns://reference/deliveries", group="deliveries")
MARTS = Asset(name="partnership_marts", uri="send-returns://partnership/marts", group="partnership")
RETURNS = Asset(name="partnership_returns", uri="send-returns://partnership/returns", group="partnership")

# A stage may run twice, so what fails in passing (a server restart, a full disk, a killed worker) is tried again.
DEFAULTS: dict[str, Any] = {
    "owner": OWNER,
    "retries": 2,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(hours=1),
}

MOST_COUNTS = 100
_PERIOD = r"^\d{4}-(0[1-9]|1[0-2])$"

_PARAMS: dict[str, Param] = {
    "as_of": Param(
        None,
        title="As of",
        type=["null", "string"],
        format="date",
        description="The reporting date, against which every age, clock and look-back is computed. "
        "Empty: the last day of the period, or else the day of the run.",
    ),
    "partnership": Param(
        None,
        title="Partnership",
        type=["null", "string"],
        pattern=r"^[a-z][a-z0-9_]{1,40}$",
        description="The local area partnership, such as hertfordshire. Empty: the one this installation serves.",
    ),
    "period": Param(
        None,
        title="Period",
        type=["null", "string"],
        pattern=_PERIOD,
        description="A calendar month, such as 2026-11, whose last day is the reporting date. "
        "Not beside a date in As of, unless that date lies in the month.",
    ),
    "mode": Param(
        "incremental",
        title="Mode",
        type="string",
        enum=["incremental", "full"],
        description="incremental builds nothing when the same deliveries, date and code are live already; "
        "full builds them again.",
    ),
    "inbox": Param(
        None,
        title="Inbox",
        type=["null", "string"],
        minLength=1,
        description="The folder, sftp://user@host:port/path or s3://bucket/prefix that holds "
        "<organisation>/<feed>/<delivery>; no password in it. "
        "Empty: SEND_RETURNS_INBOX, or inbox in the installation's home.",
    ),
    "output": Param(
        None,
        title="Output",
        type=["null", "string"],
        minLength=1,
        description="The folder to publish into. Empty: SEND_RETURNS_OUTPUT, or output in the installation's home.",
    ),
    "is_rehearsal": Param(
        False,
        title="Rehearsal",
        type="boolean",
        description="A trial: every page says REHEARSAL, and only rehearsal users sign it.",
    ),
    "run_id": Param(
        None,
        title="Run",
        type=["null", "string"],
        pattern=r"^[0-9A-Za-z_-]{1,80}$",
        description="The run to publish. Empty: the one that is live.",
    ),
}


def params(*names: str) -> dict[str, Param]:
    """The named trigger parameters, each typed and described."""
    return {name: _PARAMS[name] for name in names}


class RequestRefused(Failure):
    """The parameters of a DAG run contradict one another; trying again cannot help."""


class DatabaseFailed(Failure):
    """A statement failed in the database. Names the stage, the place and the SQLSTATE; the server's own text may
    quote data."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a DAG run was asked for, with every empty parameter resolved."""

    settings: Settings
    as_of: date
    mode: "Mode"
    inbox: Path | str
    output: Path
    run_id: str | None
    is_rehearsal: bool


def request() -> Request:
    """The request of the DAG run that the current task belongs to. Raises RequestRefused when `as_of` and `period`
    disagree."""
    return resolve(get_current_context()["params"])


def resolve(given: Mapping[str, Any]) -> Request:
    """The request that these parameter values make; a DAG that lacks a parameter gets its default."""
    settings = configuration.load()
    if given.get("partnership"):
        settings = replace(settings, partnership=given["partnership"])
    return Request(
        settings=settings,
        as_of=_as_of(given.get("as_of"), given.get("period")),
        mode=given.get("mode") or "incremental",
        inbox=_inbox(given.get("inbox"), settings.home / "inbox"),
        output=_folder(given.get("output"), "SEND_RETURNS_OUTPUT", settings.home / "output"),
        run_id=given.get("run_id"),
        is_rehearsal=bool(given.get("is_rehearsal")),
    )


def _inbox(given: str | None, default: Path) -> Path | str:
    named = given or os.environ.get("SEND_RETURNS_INBOX", "")
    return named if "://" in named else Path(named or default)


def _folder(given: str | None, variable: str, default: Path) -> Path:
    return Path(given or os.environ.get(variable) or default)


def _as_of(as_of: str | None, period: str | None) -> date:
    if not period:
        return date.fromisoformat(as_of) if as_of else clock.today()
    if not re.fullmatch(_PERIOD, period):
        raise RequestRefused("`period` is a calendar month written YYYY-MM, such as 2026-11.")
    year, month = (int(part) for part in period.split("-"))
    if not as_of:
        return date(year, month, calendar.monthrange(year, month)[1])
    chosen = date.fromisoformat(as_of)
    if (chosen.year, chosen.month) != (year, month):
        raise RequestRefused("`as_of` lies outside `period`: give one of them, or a date in that month.")
    return chosen


def stage(function: Callable[P, R]) -> Callable[P, R]:
    """A task body with the rules of the house: those of `guarded`, and only ids and counts go to XCom."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return ids_and_counts(guarded(function)(*args, **kwargs))

    return run


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """A part of a task whose failures are Airflow's: what waits is skipped, a failure that a person must act on is not
    retried, and what a database says about a row is never repeated (it can quote a child's data)."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        import psycopg

        from send_returns.stages import NotReady

        try:
            return function(*args, **kwargs)
        except NotReady as waiting:
            raise AirflowSkipException(str(waiting)) from None
        except Failure as refused:
            raise AirflowFailException(str(refused)) from None
        except psycopg.Error as error:
            raise DatabaseFailed(
                f"{function.__name__}: the database refused a statement, SQLSTATE {error.sqlstate}, at {_place(error)}."
            ) from None

    return run


def ids_and_counts(value: R) -> R:
    """`value`, once it is known to hold only short identifiers, numbers and yes or no. Raises TypeError otherwise.

    XCom is kept in Airflow's database and shown in its pages, where no row of a child may ever be.
    """
    if not _is_id_or_count(value):
        raise TypeError("A task may return identifiers and counts only, by names that are identifiers too.")
    return value


def _is_id_or_count(value: object) -> bool:
    if isinstance(value, dict):
        return len(value) <= MOST_COUNTS and all(_is_id_or_count(part) for item in value.items() for part in item)
    if isinstance(value, str):
        return re.fullmatch(r"[\w.:/+-]{1,200}", value) is not None
    return value is None or isinstance(value, int | float)


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if PACKAGE in Path(frame.filename).parents]
    return f"{Path(frames[-1].filename).relative_to(PACKAGE)}:{frames[-1].lineno}"
