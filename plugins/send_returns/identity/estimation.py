"""Estimating the linkage model anew from the records that this installation has."""

from pathlib import Path

from send_returns import warehouse
from send_returns.failure import Failure
from send_returns.identity import likeness, model, resolve
from send_returns.identity.linkage import profiles
from send_returns.settings import Settings

# With fewer, what names have in common is chance.
FEWEST_PROFILES = 1_000


def estimate(settings: Settings) -> tuple[str, Path]:
    """Estimate a model from every profile that linkage knows and make it this installation's; returns its id and chart.

    Records that trusted numbers connect teach what records of one child have in common; no truth is needed. Raises
    Failure when too little is known.
    """
    with warehouse.connect(settings, purpose="send-returns estimate") as connection:
        known = profiles(connection, settings.partnership)
    if known.height < FEWEST_PROFILES:
        raise Failure(
            f"A model needs {FEWEST_PROFILES:,} different records and {known.height:,} are known: link first."
        )
    with likeness.engine(settings, known) as engine:
        resolve.labelled(engine)
        known_as = model.aliases(engine)
    with likeness.engine(settings, known, known_as) as engine:
        resolve.labelled(engine)
        estimated, chart = model.estimate(engine, known_as)
    return estimated.id, model.save(settings, estimated, chart)
