"""Identifiers against the published checks, by another's implementation."""

import numpy as np
import polars as pl
import pytest
from stdnum.gb import nhs, upn

from send_returns.simulate.identifiers import nhs_numbers, ulns, upns, wrong_check_letter


def _upns() -> pl.Series:
    serial = np.arange(1000)
    return upns(919, 2000 + serial, np.full(1000, 2018), serial)


def test_upns_pass_their_check_and_differ() -> None:
    numbers = _upns().to_list()
    assert len(set(numbers)) == 1000
    assert all(upn.calc_check_digit(number[1:]) == number[0] for number in numbers)


def test_temporary_upns_end_in_a_letter_of_the_upn_alphabet() -> None:
    serial = np.arange(2300)
    same = np.full(2300, 2000)
    numbers = upns(919, same, same, serial, temporary=True)
    assert numbers.n_unique() == 2300
    assert numbers.str.contains(r"^[A-HJ-NP-RT-Z]919\d{8}[A-HJ-NP-RT-Z]$").all()


def test_a_wrong_check_letter_is_always_wrong() -> None:
    frame = pl.DataFrame({"upn": _upns()}).with_columns(wrong=wrong_check_letter(pl.col("upn")))
    assert all(upn.calc_check_digit(number[1:]) != number[0] for number in frame["wrong"])


def test_nhs_numbers_are_distinct_tests_numbers_with_a_right_check() -> None:
    numbers = nhs_numbers(np.random.default_rng(1), 5000).to_list()
    assert len(set(numbers)) == 5000
    assert all(number.startswith("999") and nhs.is_valid(number) for number in numbers)


def test_more_nhs_numbers_than_the_test_range_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer children"):
        nhs_numbers(np.random.default_rng(1), 1_000_000)


def test_ulns_are_distinct_and_pass_the_weighted_check() -> None:
    numbers = ulns(100_000_000 + np.arange(5000)).to_list()
    assert len(set(numbers)) == 5000
    for number in numbers:
        remainder = sum(int(d) * w for d, w in zip(number[:9], range(10, 1, -1), strict=True)) % 11
        assert remainder != 0
        assert int(number[9]) == 10 - remainder
