"""Check digits, against python-stdnum where it knows them and against the published rule where it does not."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.gb import nhs, upn

from send_returns.feeds.checks import CHECKS, UPN_LETTERS

DIGITS = "0123456789"


def verdict(check: str, values: list[str]) -> list[bool]:
    return CHECKS[check][0](pl.Series(values, dtype=pl.String)).tolist()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(DIGITS, min_size=8, max_size=8), st.sampled_from(DIGITS + UPN_LETTERS), st.sampled_from(UPN_LETTERS)
        ),
        min_size=1,
        max_size=200,
    )
)
def test_upn_agrees_with_stdnum(parts: list[tuple[str, str, str]]) -> None:
    bodies = [f"801{middle}{last}" for middle, last, _ in parts]
    values = [letter + body for body, (_, _, letter) in zip(bodies, parts, strict=True)]
    values += [upn.calc_check_digit("A" + body) + body for body in bodies]
    assert verdict("upn", values) == [upn.is_valid(value) for value in values]
    assert all(verdict("upn", values)[len(parts) :])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(DIGITS, min_size=9, max_size=11), min_size=1, max_size=200))
def test_nhs_number_agrees_with_stdnum(values: list[str]) -> None:
    every = values + [value[:9] + digit for value in values[:20] for digit in DIGITS]
    assert verdict("nhs_number", every) == [len(value) == 10 and nhs.is_valid(value) for value in every]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(DIGITS, min_size=9, max_size=9), min_size=1, max_size=200))
def test_uln_has_one_check_digit_at_most(stems: list[str]) -> None:
    for stem in stems:
        remainder = sum(int(digit) * weight for digit, weight in zip(stem, range(10, 1, -1), strict=True)) % 11
        passing = [digit for digit in DIGITS if verdict("uln", [stem + digit])[0]]
        assert passing == ([str(10 - remainder)] if remainder and stem[0] != "0" else [])


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("upn", "B801200005001", "A801200005001"),
        ("upn_or_reason", "UN3", "NONE"),
        ("nhs_number", "9434765919", "9434765910"),
        ("urn", "117400", "11740"),
        ("ofsted_urn", "SC123456", "SC12"),
        ("postcode", "SG13 8DE", "ABC 1"),
    ],
)
def test_known_values(check: str, good: str, bad: str) -> None:
    assert verdict(check, [good, bad]) == [True, False]


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_nothing_that_anyone_may_type_stops_a_check(check: str) -> None:
    strange = ["", "é" * 13, "B80120000500１", "🙂" * 13, "B801200005001\n", "\x00" * 10]
    assert not any(verdict(check, strange))
