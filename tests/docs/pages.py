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


def named(page: str, header: str) -> list[str]:
    """Return the names in backticks in the first column of a table."""
    return list(chain.from_iterable(re.findall(r"`([^`]+)`", row[0]) for row in table(page, header)))
