"""Escapes of characters that do not print."""

import json

import pytest

from app.domain.printable import printable


@pytest.mark.parametrize("text", ["", "Zo\u00eb", "\u5f20\u4f1f \U0001f3e0", 'a "b" \\ c'])
def test_text_that_prints_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc\rd", r"a\tb\nc\rd"),
        ("\x1b[2J\x07\x7f\x9b", r"\u001b[2J\u0007\u007f\u009b"),
        ("\u200b\u202e\u2028\u2066\ufeff", r"\u200b\u202e\u2028\u2066\ufeff"),
        ("\U000e0041", r"\udb40\udc41"),
    ],
)
def test_other_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert json.loads(f'"{printable(text)}"') == text


def test_line_breaks_can_be_kept() -> None:
    assert printable("a\nb\tc\r", "\n") == "a\nb\\tc\\r"
