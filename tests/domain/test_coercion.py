"""Values as forms, spreadsheets and programs write them."""

from typing import Any

import pytest

from app.domain import coercion


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (350_000, 350_000),
        (350_000.0, 350_000),
        ("350000", 350_000),
        ("350000.00", 350_000),
        (" 350,000 ", 350_000),
        ("$350,000", 350_000),
        ("$ 1,350,000.00", 1_350_000),
        ("US$350,000", 350_000),
        ("USD 350000", 350_000),
        ("350000 usd", 350_000),
        ("€350000", 350_000),
        ("0", 0),
        (-1, -1),  # what is a price is for the validation
    ],
)
def test_a_price_is_in_whole_units(value: Any, number: int) -> None:
    assert coercion.price(value) == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        "?",
        "350k",
        "350.000 €",
        "350,00",
        "35,0000",
        "350000.50",
        "$",
        "3 500",
        "٣٥٠",
        0.5,
        True,
        [],
        {},
        float("nan"),
    ],
)
def test_other_prices_are_not_guessed(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a price"):
        coercion.price(value)


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (17, "17"), (17.0, "17"), (2**60, str(2**60))])
def test_a_whole_number_is_text_too(value: Any, text: str) -> None:
    assert coercion.text(value) == text


@pytest.mark.parametrize("value", [True, 1.5, [], {}, float("inf")])
def test_other_values_are_not_text(value: Any) -> None:
    with pytest.raises(ValueError, match="is not text"):
        coercion.text(value)


@pytest.mark.parametrize("value", ["02138", "02138-1234", " 2138", 2138, 2138.0, "2138.0"])
def test_a_zipcode_may_have_lost_its_zeros(value: Any) -> None:
    assert coercion.zipcode(value) == "02138"


@pytest.mark.parametrize("value", ["0213A", "021381", 100_000, True, None, [], "-1"])
def test_other_zipcodes_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a zipcode"):
        coercion.zipcode(value)
