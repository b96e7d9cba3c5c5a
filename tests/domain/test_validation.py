"""Validation of single values and of whole inputs."""

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.validation import (
    HIGHEST_RANK,
    LONGEST_TEXT,
    MOST_ZIPCODES,
    YEAR_IN_MINUTES,
    Check,
    Rules,
    checking,
    fold,
    parse_email,
    parse_minutes,
    parse_rank,
    parse_text,
    parse_timezone,
)
from app.errors import ApiError, Code


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        (parse_text, "x" * LONGEST_TEXT),
        (parse_text, "é 🏠"),
        (parse_email, "dorothy@example.com"),
        (parse_email, "a@b"),
        (parse_timezone, "America/Los_Angeles"),
        (parse_timezone, "US/Pacific"),
        (parse_timezone, "UTC"),
        (parse_timezone, "Etc/GMT+8"),
        (parse_minutes, 0),
        (parse_minutes, YEAR_IN_MINUTES),
        (parse_rank, 0),
        (parse_rank, HIGHEST_RANK),
    ],
)
def test_a_valid_value_is_returned_as_it_is(parse: Callable[[Any], Any], value: Any) -> None:
    assert parse(value) == value


@pytest.mark.parametrize(
    ("parse", "value", "message"),
    [
        (parse_text, "x" * (LONGEST_TEXT + 1), "has 256 characters"),
        (parse_text, "a\0b", "NUL"),
        (parse_text, "\ud800", "surrogate pair"),
        *((parse_email, text, "is not an e-mail address") for text in ("", "dorothy", "@b", "a@", "a@b@c", "a b@c")),
        *(
            (parse_timezone, name, "is not an IANA time zone name")
            for name in ("", "Mars", "PST", "america/los_angeles", "America", "../UTC", "/etc/localtime")
        ),
        *((parse_timezone, name, "is not an IANA time zone name") for name in ("Factory", "localtime", "posixrules")),
        *((parse_minutes, number, "from 0 to 525,600") for number in (-1, YEAR_IN_MINUTES + 1)),
        *((parse_rank, number, "from 0 to 2,147,483,647") for number in (-1, HIGHEST_RANK + 1)),
    ],
)
def test_an_invalid_value_is_refused_with_a_reason(parse: Callable[[Any], Any], value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(value)


@pytest.mark.parametrize(
    ("validate", "value", "stored"),
    [
        (Check.name, " IBM ", "IBM"),
        (Check.text, None, None),
        (Check.text, " Buyer ", "Buyer"),
        (Check.email, " Dot@Example.com ", "Dot@Example.com"),
        (Check.email, None, None),
        (Check.phone, "(202) 555-0142", "+12025550142"),
        (Check.zipcode, "02138-1234", "02138"),
        (Check.zipcode, None, None),
        (Check.zipcodes, ["94105", "02138", "94105-0001"], ["02138", "94105"]),
        (Check.zipcodes, [], []),
        (Check.minutes, 20, 20),
        (Check.rank, None, None),
        (Check.given, False, False),
    ],
)
def test_a_check_returns_the_value_to_store(validate: Callable[..., Any], value: Any, stored: Any) -> None:
    check = Check()
    assert validate(check, "field", value) == stored
    assert check.problems == []


@pytest.mark.parametrize(
    ("validate", "value", "problems"),
    [
        (Check.name, None, ["field: must not be null"]),
        (Check.name, "  ", ["field: must not be empty"]),
        (Check.text, "", ["field: must not be empty"]),
        (Check.text, "x" * 256, [f"field: '{'x' * 57}...' has 256 characters, and at most 255 are allowed"]),
        (Check.email, "x" * 256, [f"field: '{'x' * 57}...' has 256 characters, and at most 255 are allowed"]),
        (Check.email, "dorothy", ["field: 'dorothy' is not an e-mail address such as dorothy@example.com"]),
        (Check.phone, "", ["field: must not be empty"]),
        (Check.minutes, None, ["field: must not be null"]),
        (Check.minutes, -1, ["field: -1 is not a number of minutes from 0 to 525,600, which is a year"]),
        (Check.zipcodes, None, ["field: must not be null"]),
        (
            Check.zipcodes,
            ["94105", "x", "y"],
            [f"field.{i}: {text!r} is not a zipcode such as 02138 or 02138-1234" for i, text in ((1, "x"), (2, "y"))],
        ),
        (
            Check.zipcodes,
            [f"{number:05}" for number in range(MOST_ZIPCODES + 1)],
            ["field: has 5,001 zipcodes, and at most 5,000 are allowed"],
        ),
        (Check.given, None, ["field: must not be null"]),
    ],
)
def test_a_check_notes_each_problem_once(validate: Callable[..., Any], value: Any, problems: list[str]) -> None:
    check = Check()
    validate(check, "field", value)
    assert [f"{problem.field}: {problem.message}" for problem in check.problems] == problems


def test_all_problems_of_an_input_are_reported_together() -> None:
    rules: Rules = {"name": Check.name, "rank": Check.rank}
    with pytest.raises(ApiError) as refused, checking() as check:
        check.each(rules, {"name": None, "rank": -1, "unknown": 1}, "team.")
    assert refused.value.code is Code.BAD_USER_INPUT
    assert [problem.field for problem in refused.value.problems] == ["team.name", "team.rank"]


def test_names_compare_trimmed_and_case_folded() -> None:
    assert fold(" Straße ") == fold("STRASSE")
    assert fold(None) == fold("  ") == ""
