"""The lock files: every package is pinned with hashes, no package index is named, and both files agree."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
RUN = ROOT / "requirements.lock"
TEST = ROOT / "tests" / "requirements.lock"

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NEEDED_TO_RUN = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
NEEDED_TO_TEST = [*NEEDED_TO_RUN, *chain.from_iterable(PROJECT["project"]["optional-dependencies"].values())]

PIN = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>[^ ]+)( ; [^\\]+)?(?P<hashes>( \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)
COMMENT = re.compile(r"    #.*\n")


def pins(lock: Path) -> dict[str, str]:
    return {canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(lock.read_text())}


@pytest.mark.parametrize("lock", [RUN, TEST])
def test_lock_files_have_only_versions_and_hashes(lock: Path) -> None:
    assert PIN.sub("", COMMENT.sub("", lock.read_text())).strip() == ""


@pytest.mark.parametrize(("lock", "needed"), [(RUN, NEEDED_TO_RUN), (TEST, NEEDED_TO_TEST)])
def test_lock_files_satisfy_the_project(lock: Path, needed: list[str]) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, needed):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), "run scripts/lock"


def test_tests_use_the_versions_of_production() -> None:
    assert pins(RUN).items() <= pins(TEST).items()
