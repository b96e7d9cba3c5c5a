"""The words of everything a person reads: pages, descriptions, docstrings and messages are plain English.

A sentence must not begin with a bare pronoun ("Who asks again …") or with "Of" ("Of several …"), and must not contain
one of the phrases that the project has given up. Questions are exempt.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import parse, visit
from graphql.language import StringValueNode, Visitor

from tests.docs.pages import FILES, ROOT

BARE = re.compile(r"(?:Who|Whom|What|Which|Of)\b(?! course)")

GIVEN_UP = [
    "can do no more than tell",
    "ends the command with its name",
    "of any number of claims",
    "of all who try",
    "answers the winner",
    "claiming again answers",
    "does not exist for you",
    "doing again what is done",
    "telling people",
    "fails for the moment",
    "a worker that dies while",
    "as soon as it is back all goes on",
    "answered by one statement and one function",
    "membership in a set of any size",
    "rows of any number",
    "handed on from one read to the next",
    "a viewer may find: one sql expression a table",
    "under way",
    "nobody expected",
    "is told",
    "are told",
    "were told",
    "whoever asks",
]

SOURCES = sorted(
    path
    for folder in ("app", "tests", "scripts")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
)


def sentences(text: str) -> Iterator[str]:
    """Split a text at the ends of sentences, at blank lines, and at items of lists and tables."""
    for paragraph in re.split(r"\n\s*\n|\n\s*(?:[-*]|[0-9]+\.|#+)\s+|\n?^\|\s*|\s\|\s|\s\|$", text, flags=re.MULTILINE):
        yield from re.split(r"(?<=[.!?:])\s+", " ".join(paragraph.split()))


def faults(text: str) -> list[str]:
    """Return the sentences that break the rules."""
    found = [s for s in sentences(text) if BARE.match(s.lstrip("*_(")) and not s.endswith("?")]
    flat = " ".join(text.split()).lower()
    return found + [phrase for phrase in GIVEN_UP if phrase in flat]


def prose(page: str) -> str:
    """Return a Markdown page without its blocks of code."""
    return re.sub(r"^\s*```.*?^\s*```", "", page, flags=re.MULTILINE | re.DOTALL)


def texts(source: str, *, with_messages: bool) -> Iterator[tuple[int, str]]:
    """Return the docstrings of a module with their lines, those of attributes included.

    With `with_messages` all other string literals, too: messages, descriptions and help are among them.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text
            case ast.Constant(value=str(text)) if with_messages and " " in text:
                yield node.lineno, text


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_pages(file: Path) -> None:
    assert faults(prose(file.read_text(encoding="utf-8"))) == []


def test_descriptions_of_the_schema() -> None:
    found = []

    class Descriptions(Visitor):
        def enter_string_value(self, node: StringValueNode, *_args: object) -> None:
            found.extend(faults(node.value))

    visit(parse((ROOT / "schema.graphql").read_text(encoding="utf-8")), Descriptions())
    assert not found, "\n".join(found)


def test_docstrings_and_messages() -> None:
    found = set()
    for file in SOURCES:
        name = file.relative_to(ROOT)
        if file == Path(__file__):
            continue
        for line, text in texts(file.read_text(encoding="utf-8"), with_messages=name.parts[0] != "tests"):
            found |= {f"{name}:{line}: {fault}" for fault in faults(text)}
    assert not found, "\n".join(sorted(found))
