"""The Markdown pages of this repository, and the tables and lists in them."""

import re
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}

FILES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / ".github").glob("*.md")),
]


def table(page: str, header: str) -> list[list[str]]:
    """Return the rows of the page's table whose first column has this header."""
    found = re.search(rf"^\| {header} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert found, f"there is no table with the column {header}"
    return [[cell.strip() for cell in row.strip("|\n").split("|")] for row in found[1].splitlines()]


def blocks(page: str, heading: str, language: str) -> list[str]:
    """Return the contents of the code blocks in a language, in the part of the page under this heading."""
    text = page.partition(f"\n{heading}\n")[2]
    level = heading.partition(" ")[0]
    part = re.split(rf"^#{{1,{len(level)}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(rf"^```{language}\n(.*?)^```$", part, re.DOTALL | re.MULTILINE)
    assert found, f"there is no block in {language} under {heading}"
    return found


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """Return a documented text with names, ports and paths of a test, each of which must occur exactly once."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def named(page: str, header: str) -> list[str]:
    """Return the names in backticks in the first column of a table."""
    return list(chain.from_iterable(re.findall(r"`([^`]+)`", row[0]) for row in table(page, header)))
