"""The wheel, installed and run without the repository, without privileges, and on files that it cannot write.

No container engine is needed: the steps of scripts/Containerfile are read, and run by hand where that is possible.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx2
import pytest

from tests.support.api import SECRET
from tests.support.databases import sqlite_url
from tests.support.processes import ROOT, free_port, listens

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CONTAINERFILE = (ROOT / "scripts" / "Containerfile").read_text(encoding="utf-8")
NOBODY = pwd.getpwnam("nobody")
IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user can read. Those of pytest are private."""
    folder = Path(tempfile.mkdtemp(prefix="lead-offers-package-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    """The wheel that `pip wheel` builds from a copy of the repository."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "requirements.lock"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "app", source / "app", symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
    )
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(folder: Path, wheel: Path) -> Path:
    """The folder of the commands of a virtual environment with the wheel. Its dependencies are those of the tests."""
    venv = folder / "venv"
    subprocess.run([_python(), "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(str(Path(pytest.__file__).parents[1]) + "\n")
    python = str(venv / "bin" / "python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--no-compile", "--force-reinstall", str(wheel)], check=True)
    return venv / "bin"


def _python() -> str:
    """Return a Python of this version that the unprivileged user may run, which that of the tests may not be."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (f"/usr/bin/python{version}", f"/usr/local/bin/python{version}", sys.executable):
        works = Path(candidate).exists() and _run([candidate, "-c", ""], cwd="/").returncode == 0
        if works:
            return candidate
    raise AssertionError("the unprivileged user can run no Python of this version")


def _options(**environment: str) -> dict[str, Any]:
    """Return how to run a command: as `nobody`, if the tests run as root, and with no other environment."""
    given = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
    return {"env": given} | ({"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []} if IS_ROOT else {})


def _run(command: Sequence[str | Path], cwd: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    options = _options(**environment)
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, **options)


def test_the_wheel_has_everything(wheel: Path) -> None:
    files = subprocess.run(
        ["git", "ls-files", "app"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    expected = {name for name in files if not name.startswith("app/web/")}
    expected |= {str(file.relative_to(ROOT)) for file in (ROOT / "app" / "static").rglob("*") if file.is_file()}
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert archive.read("app/requirements.lock") == (ROOT / "requirements.lock").read_bytes()
    assert packed == expected
    assert "app/static/vendor/graphiql.min.js" in packed


def test_the_version(installed: Path) -> None:
    result = _run([installed / "lead-offers", "--version"], cwd="/")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{VERSION}\n", "")


@pytest.fixture
def started(folder: Path, installed: Path) -> Iterator[Callable[..., str]]:
    """A function that runs a command without privileges in a folder that it cannot write, and gives the URL."""
    read_only, data = folder / "read-only", folder / "data"
    read_only.mkdir(mode=0o555, exist_ok=True)
    data.mkdir(exist_ok=True)
    if IS_ROOT:
        os.chown(data, NOBODY.pw_uid, NOBODY.pw_gid)
    settings = {
        "LEAD_OFFERS_DATABASE_URL": sqlite_url(data / "leads.db"),
        "LEAD_OFFERS_JWT_SECRET": SECRET,
        "TMPDIR": "/nonexistent",
        "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}",
    }
    running: list[subprocess.Popen[bytes]] = []

    def start(command: Sequence[str], port: int) -> str:
        migrated = _run([installed / "lead-offers", "migrate"], cwd=read_only, **settings)
        assert migrated.returncode == 0, migrated.stderr
        process = subprocess.Popen([installed / command[0], *command[1:]], cwd=read_only, **_options(**settings))
        running.append(process)
        deadline = time.monotonic() + 60
        while not listens(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        process.terminate()
        process.wait(20)


def test_it_runs_without_privileges_on_files_it_cannot_write(
    folder: Path, installed: Path, started: Callable[..., str]
) -> None:
    before = _files(folder)
    port = free_port()
    url = started(["lead-offers", "serve", "--port", str(port)], port)
    assert httpx2.get(f"{url}/readyz").json() == {"status": "ok"}
    assert httpx2.post(f"{url}/graphql", json={"query": "{ __typename }"}).status_code in (200, 401)
    page = httpx2.get(f"{url}/graphql", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "https://" not in page.headers["content-security-policy"]
    sources = re.findall(r"""(?:src|href)="([^"]+)\"""", page.text)
    assert "static/vendor/graphiql.min.js" in sources
    for source in sources:
        assert httpx2.get(f"{url}/{source}").status_code == 200
    written = _files(folder) - before
    assert {path.parent.name for path in written} == {"data"}


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


# The container


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", CONTAINERFILE, flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def _only(instruction: str) -> str:
    (value,) = [value for name, value in _instructions() if name == instruction]
    return value


def test_the_container_needs_nothing_but_the_wheel(wheel: Path) -> None:
    names = [name for name, _ in _instructions()]
    assert set(names) <= {"FROM", "ENV", "COPY", "RUN", "USER", "WORKDIR", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert re.fullmatch(r"python:3\.\d+-slim", _only("FROM"))
    pattern, target = _only("COPY").split()
    assert wheel.match(pattern)
    assert target == "/tmp/"
    assert _only("USER") not in ("root", "0")
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("COPY", "RUN"))
    assert f"useradd --system --no-create-home --shell /usr/sbin/nologin {_only('USER')}" in _only("RUN")


def test_the_steps_that_install_it(wheel: Path, folder: Path) -> None:
    """The wheel is unpacked as the container does it, and pip accepts the pinned requirements in it."""
    unpack, requirements, install, *_ = _only("RUN").split(" && ")
    place = folder / "image"
    place.mkdir()
    shutil.copy(wheel, place)
    step = unpack.replace("/tmp", str(place)).replace("python", sys.executable, 1)
    subprocess.run(["bash", "-ec", step], check=True)
    assert (place / "wheel" / "app" / "requirements.lock").exists()
    assert requirements.endswith("--require-hashes --requirement /tmp/wheel/app/requirements.lock")
    assert install.endswith("--no-deps /tmp/lead_offers-*.whl")


def test_the_health_check_and_the_command(started: Callable[..., str], installed: Path) -> None:
    port = free_port()
    options, check = _only("HEALTHCHECK").split("CMD ")
    python, *arguments = [each.replace("8000", str(port)) for each in json.loads(check)]
    assert python == "python"
    assert "--start-period" in options
    assert _run([installed / "python", *arguments], cwd="/").returncode == 1
    command = [*json.loads(_only("ENTRYPOINT")), *json.loads(_only("CMD"))]
    assert _only("EXPOSE") == "8000"
    started([each.replace("8000", str(port)).replace("0.0.0.0", "127.0.0.1") for each in command], port)
    assert _run([installed / "python", *arguments], cwd="/").returncode == 0
