"""Links between the pages: each leads to a file and a heading, and every page of docs/ is in the index."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import FILES, ROOT


def links(page: str) -> list[str]:
    """Return the targets of a page's links, except those to other sites."""
    targets = re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", page)
    return [target for target in targets if "://" not in target]


def anchors(page: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    for link in links(file.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_index_has_every_page() -> None:
    docs = ROOT / "docs"
    listed = {(docs / link.partition("#")[0]).resolve() for link in links((docs / "README.md").read_text())}
    assert listed >= set(docs.rglob("*.md")) - {docs / "README.md"}
