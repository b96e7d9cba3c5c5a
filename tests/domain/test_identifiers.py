"""Ids: decimal digits of a positive 64-bit number, and nothing else that `int()` would accept."""

import pytest

from app.domain.bounds import LARGEST_ID
from app.domain.identifiers import NO_ID, parse_id


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("007", 7), (str(LARGEST_ID), 2**63 - 1)])
def test_decimal_digits_are_an_id(text: str, number: int) -> None:
    assert parse_id(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "+3", "3_0", " 3", "3.0", "٣", "x", str(LARGEST_ID + 1), "9" * 10_000])
def test_any_other_text_is_the_id_of_no_row(text: str) -> None:
    assert parse_id(text) is None
    assert (parse_id(text) or NO_ID) == 0
