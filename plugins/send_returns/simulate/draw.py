"""Random draws: one independent stream per feed, so that a new feed changes no other, and vectorised choices."""

from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import blake2b
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]
Texts = npt.NDArray[Any]

NO_DATE = np.datetime64("NaT", "D")


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator that belongs to `name` under `seed`."""
    return np.random.default_rng([seed, crc32(name.encode())])


def chance(seed: int, name: str, numbers: Ints) -> Floats:
    """From 0 to 1 for each number: what `name` has in store for it under `seed`, whatever other numbers there are."""
    key = np.frombuffer(blake2b(f"{seed} {name}".encode(), digest_size=8).digest(), dtype="<u8")
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key  # the finaliser of SplitMix64
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Floats = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53
    return found


def day(value: date) -> np.datetime64:
    """A date as numpy counts days."""
    return np.datetime64(value, "D")


def blank_dates(size: int) -> Dates:
    """`size` dates, none given."""
    return np.full(size, NO_DATE, dtype="datetime64[D]")


def dates_if(given: Bools, dates: Dates) -> Dates:
    """The dates where `given`, else none."""
    return np.where(given, dates, NO_DATE).astype("datetime64[D]")


def texts_if(given: Bools, texts: Texts | str) -> pl.Series:
    """The texts (or the one text) where `given`, else null."""
    every = pl.Series(np.broadcast_to(texts, given.shape).tolist(), dtype=pl.String)
    return pl.select(pl.when(pl.Series(given)).then(every)).to_series()


def shifted(dates: Dates, days: Ints | int) -> Dates:
    """The dates, so many days later (earlier where negative)."""
    moved: Dates = dates + np.asarray(days).astype("timedelta64[D]")
    return moved


def days_between(rng: np.random.Generator, start: Dates, end: Dates) -> Dates:
    """A date for each pair, from `start` to `end` inclusive; `start` where `end` is not later."""
    span = np.maximum((end - start).astype(np.int64), 0)
    picked: Dates = start + rng.integers(0, span + 1).astype("timedelta64[D]")
    return picked


def codes(rng: np.random.Generator, weights: Mapping[str, float], size: int) -> Texts:
    """`size` codes, each with its weight's share."""
    names = np.array(list(weights), dtype=object)
    shares = np.array(list(weights.values()), dtype=float)
    picked: Texts = names[rng.choice(len(names), size=size, p=shares / shares.sum())]
    return picked


def weighted_sample(rng: np.random.Generator, weights: Floats, size: int) -> Ints:
    """Up to `size` distinct positions; heavier ones are likelier (exponential keys); weight 0 is never drawn."""
    possible = np.flatnonzero(weights > 0)
    keys = rng.exponential(size=len(possible)) / weights[possible]
    size = min(size, len(possible))
    nearest = np.argpartition(keys, size - 1)[:size] if size else np.empty(0, dtype=np.int64)
    return np.sort(possible[nearest])


def by_group(rng: np.random.Generator, groups: Ints, members: Sequence[Ints], weights: Floats) -> Ints:
    """For each element of `groups`, one of `members[group]`, with `weights` indexed by member."""
    order = np.concatenate(members)
    cumulative = np.concatenate([[0.0], np.cumsum(weights[order])])
    ends = np.cumsum([len(m) for m in members])
    start, end = cumulative[ends - [len(m) for m in members]], cumulative[ends]
    target = start[groups] + rng.random(len(groups)) * (end - start)[groups]
    position = np.searchsorted(cumulative, target, side="right") - 1
    chosen: Ints = order[np.minimum(position, ends[groups] - 1)]
    return chosen
