"""Validation of single values and of whole inputs."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unicodedata import normalize
from unittest.mock import ANY

import pytest

from app.domain.bounds import (
    HIGHEST_RANK,
    LARGEST_INT,
    LATEST,
    LONGEST_MESSAGE,
    LONGEST_TEXT,
    LONGEST_TOKEN,
    MOST_ZIPCODES,
    YEAR_IN_MINUTES,
)
from app.domain.validation import (
    Check,
    Rules,
    checking,
    email_to_send,
    fold,
    fold_email,
    parse_email,
    parse_hours,
    parse_mailbox,
    parse_message,
    parse_minutes,
    parse_name,
    parse_price,
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
        (parse_hours, 0),
        (parse_hours, 0.5),
        (parse_hours, LONGEST_TOKEN),
        (parse_price, 0),
        (parse_price, LARGEST_INT),
        (parse_message, "x" * LONGEST_MESSAGE),
        (parse_message, "Hello,\r\n\n\tis it\x0bstill \u2028for\x85sale? \x07"),
        (parse_message, "\u202b\u05e9\u202c \u2067\u05e9\u2069 \u200e"),
        (parse_message, "\U0001f469\u200d\U0001f680\ufe0f"),
        (parse_message, "?"),
    ],
)
def test_a_valid_value_is_returned_as_it_is(parse: Callable[[Any], Any], value: Any) -> None:
    assert parse(value) == value


@pytest.mark.parametrize(
    ("parse", "value", "message"),
    [
        (parse_text, "x" * (LONGEST_TEXT + 1), "has 256 characters"),
        (parse_text, "a\0b", "^contains the character NUL, which cannot be stored$"),
        (parse_text, "\ud800", "^contains half of a surrogate pair, which cannot be stored$"),
        (parse_price, -1, "^is not a price from 0 to 2,147,483,647$"),
        (parse_price, LARGEST_INT + 1, "^is not a price from 0 to 2,147,483,647$"),
        (parse_message, "x" * (LONGEST_MESSAGE + 1), "^has 10,001 characters, and at most 10,000 are allowed$"),
        (parse_message, " \r\n\t\u2003", "^must not be empty$"),
        (parse_message, "\n\u200b\u2800\n\u202e", "^has no visible characters$"),
        (parse_message, "a\0b", "^contains the character NUL, which cannot be stored$"),
        (parse_message, "\ud800", "^contains half of a surrogate pair, which cannot be stored$"),
        (parse_name, " ", "^must not be empty$"),
        (parse_name, "\u200b", "^has no visible characters$"),
        *((parse_email, text, "is not an e-mail address") for text in ("", "dorothy", "@b", "a@", "a@b@c", "a b@c")),
        *(
            (parse_timezone, name, "^is not an IANA time zone name such as America/Los_Angeles$")
            for name in ("", "Mars", "PST", "america/los_angeles", "America", "../UTC", "/etc/localtime")
        ),
        *((parse_timezone, name, "is not an IANA time zone name") for name in ("Factory", "localtime", "posixrules")),
        *((parse_minutes, number, "from 0 to 525,600") for number in (-1, YEAR_IN_MINUTES + 1)),
        *((parse_rank, number, "from 0 to 2,147,483,647") for number in (-1, HIGHEST_RANK + 1)),
        *((parse_hours, float(text), "from 0 to 87,600") for text in ("-1", "87601", "1e9", "inf", "-inf", "nan")),
    ],
)
def test_an_invalid_value_is_refused_with_a_reason(parse: Callable[[Any], Any], value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(value)


@pytest.mark.parametrize(
    ("validate", "value", "stored"),
    [
        (Check.instant, LATEST, LATEST),
        (Check.name, " IBM ", "IBM"),
        (Check.text, None, None),
        (Check.text, " Buyer ", "Buyer"),
        (Check.email, " Dot@Example.com ", "Dot@example.com"),
        (Check.user_email, " Dot@Example.com ", "dot@example.com"),
        (Check.timezone, "Europe/Berlin", "Europe/Berlin"),
        (Check.time_of_day, "07:00", "07:00"),
        (Check.zipcodes, [f"{number:05}" for number in range(MOST_ZIPCODES)], ANY),
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
        (Check.phone, "1", ["field: '1' is not a phone number such as +12025550142 or (202) 555-0142"]),
        (Check.phone, "2025550142 x7", ["field: '2025550142 x7' has an extension, which calls and texts cannot reach"]),
        (Check.user_email, None, ["field: must not be null"]),
        (Check.user_email, "bob", ["field: 'bob' is not an e-mail address such as dorothy@example.com"]),
        (Check.timezone, "x" * 60, [f"field: '{'x' * 60}' is not an IANA time zone name such as America/Los_Angeles"]),
        (
            Check.timezone,
            "x" * 61,
            [f"field: '{'x' * 57}...' is not an IANA time zone name such as America/Los_Angeles"],
        ),
        (Check.time_of_day, "7:00", ["field: '7:00' is not a time of day from 00:00 to 23:59"]),
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
        (
            Check.instant,
            LATEST + timedelta(milliseconds=1),
            ["field: 2201-01-01T00:00:00.000Z is outside the years 1900 to 2200 in UTC"],
        ),
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
    check = Check()
    assert check.each(rules, {"name": "", "rank": 1}) == {"name": "", "rank": 1}
    assert [problem.field for problem in check.problems] == ["name"]


def test_an_invalid_value_becomes_one_that_no_rule_stumbles_over() -> None:
    check = Check()
    assert (check.minutes("m", None), check.user_email("e", "bob"), check.rank("r", -1)) == (0, "", None)
    assert (check.timezone("t", "Mars"), check.time_of_day("d", "7"), check.name("n", None)) == ("", "", "")


def test_names_compare_trimmed_and_case_folded() -> None:
    assert fold(" Straße ") == fold("STRASSE")
    assert fold(None) == fold("  ") == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bob,al@example.com", "dorothy@example.com: only one address is allowed, without commas and semicolons$"),
        ("bob@example.com,al@example.com", "only one address"),
        ("bob@example.com; al@example.com", "only one address"),
        ("Bob <bob@example.com>", "is not an e-mail address"),
        ("<bob@example.com>", "is not an e-mail address"),
        ("mailto:bob@example.com", "dorothy@example.com: leave out mailto:$"),
        ("MailTo:bob@example.com", "leave out mailto:"),
        ("bob@example.com.", "dorothy@example.com: it must not end with a dot$"),
        ("bob.@example.com", "is not an e-mail address"),
        (".bob@example.com", "is not an e-mail address"),
        ("bob@example..com", "is not an e-mail address"),
        ("b\u200bob@example.com", r"invisible character U\+200B"),
        ("bob@exam\u200dple.com", r"invisible character U\+200D"),
        ("bob@example.com\ufeff", r"invisible character U\+FEFF"),
        ("bob@exam\u00adple.com", r"invisible character U\+00AD"),
        ("bob@exam\ufe0fple.com", r"invisible character U\+FE0F"),
        ("bob@example.com\r\nBcc: al@example.com", r"invisible character U\+000D"),
        ("\u212aate@example.com", r"U\+212A, which could be taken for 'k'"),
        ("kate@\u212aexample.com", r"U\+212A"),
        ("bob@\uff45xample.com", r"U\+FF45"),
        ("bob@example\u3002com", r"U\+3002"),
        ("bob\uff20example.com", r"U\+FF20"),
        ("\u017fam@example.com", r"U\+017F"),
        ("al@\u0130stanbul.example", r"U\+0130"),
        ('"bob al"@example.com', "is not an e-mail address"),
        ("bob@[127.0.0.1]", "is not an e-mail address"),
        ("bob(al)@example.com", "is not an e-mail address"),
        ("=?utf-8?q?bob?=@example.com", r"dorothy@example.com: it contains =\?, which mail programs decode$"),
        (f"{'x' * 250}@example.com", "characters|is not an e-mail address"),
    ],
)
def test_an_address_is_one_recipient(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_email(text)


@pytest.mark.parametrize(
    ("text", "key", "sent"),
    [
        (" Bob@Example.COM ", "bob@example.com", "bob@example.com"),
        ("bob@B\u00dcCHER.example", "bob@b\u00fccher.example", "bob@xn--bcher-kva.example"),
        ("bob@xn--bcher-kva.example", "bob@b\u00fccher.example", "bob@xn--bcher-kva.example"),
        ("bob@bu\u0308cher.example", "bob@b\u00fccher.example", "bob@xn--bcher-kva.example"),
        ("\u00dcnal@example.com", "\u00fcnal@example.com", "\u00fcnal@example.com"),
        ("O'Hara+leads@localhost", "o'hara+leads@localhost", "o'hara+leads@localhost"),
        ("bob@mail.test", "bob@mail.test", "bob@mail.test"),
    ],
)
def test_an_address_has_one_key_and_one_form_to_send(text: str, key: str, sent: str) -> None:
    assert fold_email(text) == fold_email(key) == key
    assert email_to_send(key) == sent


def test_no_other_character_becomes_ascii_in_an_address() -> None:
    """The characters that Unicode or IDNA map to ASCII, or to nothing."""
    mapped = [c for c in map(chr, range(0x80, 0x10000)) if any(map(str.isascii, normalize("NFKC", c.casefold())))]
    for character in [*mapped, *"\u00ad\u00df\u034f\u180b\u1e9e\u200b\u200c\u200d\u2060\u3002\ufe0f\ufeff\uff61"]:
        for address in (f"a{character}b@example.com", f"a@a{character}b.example"):
            with suppress(ValueError):
                assert not fold_email(address).isascii(), ascii(address)


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("leads@example.org", ("", "leads@example.org")),
        ("Leads <leads@example.org>", ("Leads", "leads@example.org")),
        ("<leads@example.org>", ("", "leads@example.org")),
        ("Acme Inc. <leads@example.org>", ("Acme Inc.", "leads@example.org")),
        ('"Leads <west>" <leads@example.org>', ("Leads <west>", "leads@example.org")),
        ('"Acme, \\"the\\" Inc." <leads@example.org>', ('Acme, "the" Inc.', "leads@example.org")),
        ("B\u00fccher <leads@b\u00fccher.example>", ("B\u00fccher", "leads@b\u00fccher.example")),
    ],
)
def test_a_mailbox_is_a_name_and_an_address(text: str, mailbox: tuple[str, str]) -> None:
    assert parse_mailbox(text) == mailbox


@pytest.mark.parametrize(
    "text",
    [
        *("", "@", "leads", "Leads", "Leads <leads>", "Leads <leads@example.org", "leads@example.org>", "a@b, c@d"),
        *(
            "Acme, Inc. <leads@example.org>",
            "A <a@b.c>, B <b@b.c>",
            "L <a@b.c> x",
            "a@b.c (Leads)",
            "a@b.c\r\nBcc: x@y",
        ),
        *("Leads\r\nBcc: x <a@b.c>", "L\u202e <a@b.c>", "mailto:a@b.c", "a@b.c."),
    ],
)
def test_an_invalid_mailbox_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|control character"):
        parse_mailbox(text)


def test_the_message_about_a_mailbox_shows_both_forms() -> None:
    with pytest.raises(ValueError, match=r"^is not a mailbox such as leads@example\.com or \"Leads, Inc\.\" <leads@ex"):
        parse_mailbox("Acme, Inc. <leads@example.org>")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "IBM",
            "Zo\u00eb",
            "Zoe\u0308",
            "\u5f20\u4f1f",
            "\u05d3\u05d5\u05d3",
            "\u0645\u06cc\u200c\u062e",
            "J. R. O'Neil-Smith",
            "7",
            "\u2605",
        ),
        *("\u0378", "\U0001f469\u200d\U0001f680", "A\u200eB", "\u2764\ufe0f", "a\u00a0b"),
    ],
)
def test_a_name_that_can_be_seen_is_stored_as_it_is(name: str) -> None:
    assert parse_name(f" {name}\t") == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "\u200b",
            "\u2800",
            "\u3164",
            "\u115f\u1160",
            "\uffa0",
            "\u00ad",
            "\u200d\u200c",
            "\ufeff",
            "\u2060",
            "\ufe0f",
        ),
        *("\u2065", "\ufff0", "\ufff8", "\U000e0000", "\U000e0fff", "\u2065\u200b"),
        *("\u2800 \u200b", "\u0301", "\U000e0041", "\U0001d159", "\u034f", "\u180e", "\ue000"),
    ],
)
def test_a_name_that_cannot_be_seen_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="has no visible characters"):
        parse_name(name)


@pytest.mark.parametrize(
    "character",
    [
        *(
            "\u0001",
            "\t",
            "\n",
            "\r",
            "\x0b",
            "\x1b",
            "\x7f",
            "\x85",
            "\x9b",
            "\u2028",
            "\u2029",
            "\ufffe",
            "\U0001ffff",
        ),
        *(
            "\u202a",
            "\u202b",
            "\u202c",
            "\u202d",
            "\u202e",
            "\u2066",
            "\u2067",
            "\u2068",
            "\u2069",
            "\u206a",
            "\u206f",
            "\ufff9",
        ),
        *("\ufffb", "\ufdd0", "\ufdef"),
    ],
)
def test_a_name_has_no_control_characters(character: str) -> None:
    with pytest.raises(ValueError, match=rf"contains the control character U\+{ord(character):04X}"):
        parse_name(f"IBM{character}Ltd")


def test_a_message_is_trimmed_before_it_is_measured() -> None:
    assert parse_message(f" \n{'x' * LONGEST_MESSAGE}\r\n") == "x" * LONGEST_MESSAGE


def test_a_problem_of_a_message_does_not_quote_it() -> None:
    check = Check()
    for text in ("The blue house" * LONGEST_MESSAGE, "The blue house\0", " "):
        assert check.message("message", text) is None
    assert len(check.problems) == 3
    assert "blue" not in str(check.problems)
    assert check.message("message", None) is None
    assert len(check.problems) == 3
