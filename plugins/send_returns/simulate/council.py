"""What the council's own teams do for a block of children: casework, disputes and provision together."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from send_returns.simulate.casework import Casework, casework
from send_returns.simulate.disputes import Disputes, disputes
from send_returns.simulate.improvement import improvement_plan
from send_returns.simulate.lives import Lives
from send_returns.simulate.population import Calibration
from send_returns.simulate.provision import Provision, provision


@dataclass(frozen=True)
class Council:
    """`actions` and `milestones` are of the whole county, and only those of its first block count."""

    work: Casework
    disputes: Disputes
    provision: Provision
    actions: pl.DataFrame
    milestones: pl.DataFrame


def council(of: Lives, schools: pl.DataFrame, as_of: date, facts: Calibration) -> Council:
    """The council's side of a block of lives; the same for the same arguments."""
    work = casework(of, schools, as_of, facts)
    actions, milestones = improvement_plan(of.seed, as_of)
    return Council(work, disputes(of, work, as_of, facts), provision(of, schools, as_of, facts), actions, milestones)
