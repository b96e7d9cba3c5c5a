"""Text without regard to case, as Unicode folds it: character by character, and independent of language.

The databases get these tables, because their own functions know other characters: SQLite only those of ASCII, and
PostgreSQL those of its locale.
"""

import unicodedata
from enum import Enum
from functools import cache

_BEYOND_CASED = 0x1F000
"""No character from here on has a case."""


class Folding(Enum):
    """Ways to fold a text. The values name the functions of SQLite and the parameters of statements."""

    TEXT = "fold_case"
    """Unicode's full case folding: `STRASSE` and `straße` are equal."""
    ADDRESS = "fold_address_case"
    """For e-mail addresses, as `fold_address` compares them: no other character becomes one of ASCII, so that `ß` is
    not `ss`. Those are different mailboxes."""


@cache
def folds(folding: Folding) -> dict[str, str]:
    """Return what each character that changes becomes, which may be several characters."""
    changed = {}
    for character in map(chr, range(_BEYOND_CASED)):
        becomes = character.casefold()
        if folding is Folding.ADDRESS and not character.isascii() and _has_ascii(becomes):
            lower = character.lower()
            becomes = character if _has_ascii(lower) else lower
        if becomes != character:
            changed[character] = becomes
    return changed


def fold_text(text: str, folding: Folding) -> str:
    """Return the folded text, which has the fold of each character in place of it."""
    if folding is Folding.TEXT or text.isascii():
        return text.casefold()
    return text.translate(_table(folding))


def fold_typed(text: str, folding: Folding) -> str:
    """Return the text by which folded ones are found. Addresses are stored in NFC, so they are also sought in it."""
    return fold_text(unicodedata.normalize("NFC", text) if folding is Folding.ADDRESS else text, folding)


@cache
def _table(folding: Folding) -> dict[int, str]:
    return str.maketrans(folds(folding))


def _has_ascii(text: str) -> bool:
    return any(map(str.isascii, text))
