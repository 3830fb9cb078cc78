"""Identifiers that pass their published checks and cannot belong to anyone: UPN, ULN, NHS number, postcode."""

import numpy as np
import polars as pl

from send_returns.simulate.draw import Ints

_UPN_LETTERS = np.frombuffer(b"ABCDEFGHJKLMNPQRTUVWXYZ", dtype=np.uint8)
_INWARD_LETTERS = np.frombuffer(b"ABDEFGHJLNPQRSTUWXYZ", dtype=np.uint8)
_ZERO = ord("0")


def _digits(values: Ints, width: int) -> Ints:
    return values[:, None] // 10 ** np.arange(width - 1, -1, -1) % 10


def _text(characters: np.typing.NDArray[np.uint8]) -> pl.Series:
    return pl.Series(np.ascontiguousarray(characters).view(f"S{characters.shape[1]}").ravel()).cast(pl.String)


def upns(la: int, establishment: Ints, year: Ints, serial: Ints, *, temporary: bool = False) -> pl.Series:
    """Unique pupil numbers: letter, LA (3), establishment (4), year (2), serial (3; temporary: 2 and a letter).

    Check: characters 2-13 times 2-13, summed, modulo 23 (DfE, Unique pupil numbers guide).
    """
    body = np.concatenate(
        [_digits(np.full(len(serial), la), 3), _digits(establishment, 4), _digits(year % 100, 2)], axis=1
    )
    if temporary:
        tail = np.concatenate([_digits(serial % 100, 2), (serial // 100 % 23)[:, None]], axis=1)
    else:
        tail = _digits(serial, 3)
    values = np.concatenate([body, tail], axis=1)
    letters = _UPN_LETTERS[(values * np.arange(2, 14)).sum(axis=1) % 23]
    characters = (values + _ZERO).astype(np.uint8)
    if temporary:
        characters[:, 11] = _UPN_LETTERS[values[:, 11]]
    return _text(np.concatenate([letters[:, None], characters], axis=1))


def wrong_check_letter(upn: pl.Expr) -> pl.Expr:
    """The same UPN with a check letter that cannot be right."""
    return pl.when(upn.str.starts_with("A")).then(pl.lit("B")).otherwise(pl.lit("A")) + upn.str.slice(1)


def ulns(serial: Ints) -> pl.Series:
    """Unique learner numbers, distinct for distinct serials: nine digits, then 10 - (sum of digit x 10..2, modulo 11).

    A sum that leaves 0 has no check digit: the last digit, even until then, goes up by one.
    """
    base = serial // 4 * 10 + serial % 4 * 2
    weights = np.arange(10, 1, -1)
    base[(_digits(base, 9) * weights).sum(axis=1) % 11 == 0] += 1
    digits = _digits(base, 9)
    check = 10 - (digits * weights).sum(axis=1) % 11
    return _text((np.concatenate([digits, check[:, None]], axis=1) + _ZERO).astype(np.uint8))


def nhs_numbers(rng: np.random.Generator, size: int, block: int = 0) -> pl.Series:
    """Distinct NHS numbers, at most 909,090 of a block: of the range 999 that the NHS keeps for tests, then of 998, 997
    and so on, because no number that begins with 9 has been issued."""
    bodies = (999 - block) * 1_000_000 + np.arange(1_000_000)
    check = (11 - (_digits(bodies, 9) * np.arange(10, 1, -1)).sum(axis=1) % 11) % 11
    usable = np.flatnonzero(check < 10)
    if size > len(usable):
        raise ValueError(f"a range of NHS numbers holds {len(usable)}, {size} asked for: fewer children")
    picked = rng.permutation(usable)[:size]
    digits = np.concatenate([_digits(bodies[picked], 9), check[picked][:, None]], axis=1)
    return _text((digits + _ZERO).astype(np.uint8))


def postcodes(rng: np.random.Generator, outward: pl.Series) -> pl.Series:
    """A postcode in each outward district (AL1, SG13 ...)."""
    size = len(outward)
    inward = np.column_stack(
        [rng.integers(0, 10, size) + _ZERO, _INWARD_LETTERS[rng.integers(0, len(_INWARD_LETTERS), (size, 2))]]
    )
    return outward + pl.Series([" "]) + _text(inward.astype(np.uint8))
