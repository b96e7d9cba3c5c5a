"""Zipcodes as five digits."""

import pytest

from app.domain.zipcodes import parse_zipcode


@pytest.mark.parametrize(
    ("value", "zipcode"), [("02138", "02138"), ("02138-1234", "02138"), (2138, "02138"), (0, "00000"), (99999, "99999")]
)
def test_a_zipcode_is_its_first_five_digits(value: str | int, zipcode: str) -> None:
    assert parse_zipcode(value) == zipcode


@pytest.mark.parametrize("value", ["", "2138", "021381", "02138-", "02138-12", " 02138", "٠٢١٣٨", 100_000, -1])
def test_other_values_are_refused(value: str | int) -> None:
    with pytest.raises(ValueError, match="is not a zipcode"):
        parse_zipcode(value)
