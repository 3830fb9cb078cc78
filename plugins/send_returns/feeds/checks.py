"""Check digits and shapes of identifiers, vectorised. Each takes text without nulls, any case; says which pass."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

# DfE "Unique pupil numbers": letters I, O and S are not used, so that none looks like a digit.
UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
Passes = npt.NDArray[np.bool_]


def _worth() -> npt.NDArray[np.int64]:
    """What each ASCII character counts for: a digit itself, a UPN letter its place in the alphabet of the UPN."""
    table = np.zeros(128, np.int64)
    table[ord("0") : ord("9") + 1] = np.arange(10)
    for letters in (UPN_LETTERS, UPN_LETTERS.lower()):
        table[[ord(letter) for letter in letters]] = np.arange(len(letters))
    return table


WORTH = _worth()


def _characters(values: pl.Series, shape: str, width: int) -> tuple[Passes, npt.NDArray[np.int64]]:
    """Which values have the shape (a regular expression for `width` ASCII characters); what those count for."""
    fits = values.str.contains(shape)
    text = values.filter(fits).str.join("").item() or ""
    return fits.to_numpy().copy(), WORTH[np.frombuffer(text.encode("ascii"), np.uint8).reshape(-1, width)]


def _weighted(
    shape: str,
    width: int,
    weights: Sequence[int],
    verdict: Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], Passes],
) -> Callable[[pl.Series], Passes]:
    """A check on the weighted sum of what a value's characters count for: `verdict(sums, matrix of those)`."""

    def check(values: pl.Series) -> Passes:
        passes, worth = _characters(values, shape, width)
        passes[passes] = verdict(worth @ np.asarray(weights, np.int64), worth)
        return passes

    return check


def _pattern(expression: str) -> Callable[[pl.Series], Passes]:
    return lambda values: values.str.contains(expression).to_numpy()


EITHER_CASE = UPN_LETTERS + UPN_LETTERS.lower()
# A temporary UPN ends in a letter, which counts for its place in the alphabet.
upn = _weighted(
    rf"^[{EITHER_CASE}][0-9]{{11}}[0-9{EITHER_CASE}]$",
    13,
    [0, *range(2, 14)],
    lambda sums, worth: sums % 23 == worth[:, 0],
)
# NHS Data Dictionary: 11 minus the remainder is the check digit; 11 counts as 0 and 10 is never issued. Weighting the
# check digit by 1 makes that "the whole is a multiple of 11".
nhs_number = _weighted(r"^[0-9]{10}$", 10, range(10, 0, -1), lambda sums, _: sums % 11 == 0)
# Learning Records Service: 10 minus the remainder, where a remainder of 0 is never issued.
uln = _weighted(
    r"^[1-9][0-9]{9}$",
    10,
    [*range(10, 1, -1), 0],
    lambda sums, worth: (sums % 11 != 0) & (10 - sums % 11 == worth[:, 9]),
)

UPN_OR_REASON = r"^[Uu][Nn][0-9]{1,2}$"


def upn_or_reason(values: pl.Series) -> Passes:
    """A UPN, or the code of the reason that there is none (UN1 to UN10), as the SSDA903 has them in one column."""
    passes: Passes = upn(values) | values.str.contains(UPN_OR_REASON).to_numpy()
    return passes


CHECKS: Mapping[str, tuple[Callable[[pl.Series], Passes], str]] = {
    "upn": (upn, "a unique pupil number with its check letter"),
    "upn_or_reason": (upn_or_reason, "a unique pupil number with its check letter, or a reason code"),
    "uln": (uln, "a unique learner number with its check digit"),
    "nhs_number": (nhs_number, "an NHS number with its check digit"),
    "urn": (_pattern(r"^[0-9]{6}$"), "a URN of six digits"),
    "ofsted_urn": (_pattern(r"^(?:[Ss][Cc])?[0-9]{6,7}$"), "an Ofsted URN"),
    "postcode": (_pattern(r"^[A-Za-z]{1,2}[0-9][A-Za-z0-9]? ?[0-9][A-Za-z]{2}$"), "shaped as a postcode"),
}
