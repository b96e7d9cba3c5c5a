"""The pages for contributors against the tree: every path they name exists, and every name is in its module."""

import re

import pytest

from tests.docs.pages import FILES, ROOT

PAGES = [file for file in FILES if file.parent.name in ("docs", "decisions", ".github")]
TEXT = "\n".join(file.read_text(encoding="utf-8") for file in PAGES)

PATHS = sorted(set(re.findall(r"`((?:app|tests|scripts|docs|\.github|\.ci)/[\w./-]+)`", TEXT)))
NAMES = sorted(set(re.findall(r"`(\w+)`\s+(?:in\s+|\()`((?:app|tests)/[\w/]+\.(?:py|tsx?))`", TEXT)))

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PATHS)
def test_paths_exist(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("name", "path"), NAMES)
def test_names_are_in_their_modules(name: str, path: str) -> None:
    module = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^\s*(?:(?:async )?def |class |const )?{name}\b|import.*\b{name}\b", module, re.MULTILINE)


def test_every_folder_has_a_section() -> None:
    headings = "\n".join(re.findall(r"^### .*", ARCHITECTURE, re.MULTILINE))
    folders = [path for path in sorted((ROOT / "app").iterdir()) if path.is_dir() and path.name != "__pycache__"]
    modules = [path for path in sorted((ROOT / "app").glob("*.py")) if path.name != "__init__.py"]
    for path in folders + modules:
        assert f"`{path.relative_to(ROOT)}`" in headings
