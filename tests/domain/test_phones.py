"""Phone numbers in E.164."""

import pytest

from app.domain.phones import parse_phone


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("(202) 555-0142", "+12025550142"),
        ("202.555.0142", "+12025550142"),
        ("+1 202 555 0142", "+12025550142"),
        ("+44 20 7946 0958", "+442079460958"),
    ],
)
def test_a_number_without_a_country_is_american(text: str, number: str) -> None:
    assert parse_phone(text) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("call me", r"^is not a phone number such as \+12025550142 or \(202\) 555-0142$"),
        ("+999 1", "is not a phone number"),
        ("555-0142", r"^has no area code, as in \+12025550142 or \(202\) 555-0142$"),
        ("+1 555 0142", "has no area code"),
        ("+44 7946 0958", "has no area code"),
        ("911", "is not a phone number"),
        ("+1 202 555 0142 ext. 5", "^has an extension, which calls and texts cannot reach$"),
    ],
)
def test_an_invalid_number_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_phone(text)
