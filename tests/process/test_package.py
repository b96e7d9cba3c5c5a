"""The package as docs/deploying.md installs and runs it, without privileges and on files that it cannot write.

No registry and no container engine is needed, and systemd need not run: pip finds the pinned requirements among the
packages of the tests, the steps of scripts/Containerfile are read, and run by hand where that is possible, and systemd
checks its units without starting them.
"""

import json
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from argparse import REMAINDER, ArgumentParser
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx2
import pytest
from sqlalchemy import make_url

from tests.docs.pages import DOCS, blocks, replaced
from tests.support.api import SECRET
from tests.support.databases import sqlite_url
from tests.support.otlp_receiver import receiving
from tests.support.processes import ROOT, free_port
from tests.support.programs import owner, program, running

PAGE = DOCS["deploying"]
FROM_REPOSITORY, *_ = blocks(PAGE, "## Installing", "sh")
(AS_PACKAGE,) = blocks(PAGE, "### As a package", "sh")
(AS_CONTAINER,) = blocks(PAGE, "### As a container", "sh")
(ENVIRONMENT,) = blocks(PAGE, "## systemd", "sh")
(UNIT,) = blocks(PAGE, "## systemd", "ini")
(TRACES,) = blocks(PAGE, "## Traces", "sh")
DOCUMENTED_URL = "postgresql+asyncpg://lead_offers:PASSWORD@127.0.0.1/lead_offers"

(WITH_EXTRAS,) = blocks(PAGE, "### As a container", "dockerfile")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
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
def dependencies(folder: Path) -> Path:
    """A folder with the installed packages of the tests, but without the server, which is to be installed."""
    packages = folder / "dependencies"
    packages.mkdir()
    for package in Path(pytest.__file__).parents[1].iterdir():
        if not re.match(r"(__editable__\W*_?)?lead_offers", package.name):
            (packages / package.name).symlink_to(package)
    return packages


@pytest.fixture(scope="module")
def repository(folder: Path) -> Path:
    """A copy of the repository after `scripts/install`: with GraphiQL, the web application and the packages."""
    copy = folder / "repository"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "requirements.lock"):
        shutil.copy(ROOT / name, copy)
    left_out = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in ("app", "scripts"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=left_out)
    for name in ("graphiql", "web"):
        _write_script(copy / "scripts" / name, "exit 0")
    _write_script(copy / ".venv" / "bin" / "python", f'exec {sys.executable} "$@"')
    _write_script(copy / ".venv" / "bin" / "pip", f'exec {sys.executable} -m pip "$@"')
    (copy / ".venv" / "made-in").write_text(f"{copy}\n")
    sources = (copy / "requirements.lock").read_bytes() + (copy / "pyproject.toml").read_bytes()
    hashed = subprocess.run(["git", "hash-object", "--stdin"], input=sources, capture_output=True, check=True)
    (copy / ".venv" / "installed").write_bytes(hashed.stdout)
    return copy


def _write_script(file: Path, command: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{command}\n")
    file.chmod(0o755)


@pytest.fixture(scope="module")
def installed(folder: Path, repository: Path, dependencies: Path) -> Path:
    """The folder with the commands of the package, which is built and installed as documented."""
    script = replaced(AS_PACKAGE, ("python3 -m venv", f"{_python()} -m venv"))
    script = script.replace("/opt/lead-offers", str(folder / "venv"))
    environment = os.environ | {"PYTHONPATH": str(dependencies), "PIP_NO_INDEX": "1"}
    subprocess.run(["bash", "-ec", script], cwd=repository, env=environment, check=True)
    return folder / "venv" / "bin"


@pytest.fixture(scope="module")
def wheel(installed: Path, repository: Path) -> Path:
    (wheel,) = (repository / "dist").iterdir()
    return wheel


def _python() -> str:
    """Return a Python of this version that the unprivileged user may run, which that of the tests may not be."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (f"/usr/bin/python{version}", f"/usr/local/bin/python{version}", sys.executable):
        works = Path(candidate).exists() and _run([candidate, "-c", ""], **_unprivileged()).returncode == 0
        if works:
            return candidate
    raise AssertionError("the unprivileged user can run no Python of this version")


def _unprivileged(user: str = "nobody", **environment: str) -> dict[str, Any]:
    """Return how to run a command as a user, if the tests run as root, with this environment only."""
    given = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
    options: dict[str, Any] = {"env": given, "cwd": "/"}
    if IS_ROOT:
        entry = pwd.getpwnam(user)
        options |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return options


def _run(command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


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


@pytest.fixture
def unprivileged(folder: Path, installed: Path, dependencies: Path) -> dict[str, Any]:
    """How to run a command of the package without privileges and where it can write only its database of SQLite."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    if IS_ROOT:
        os.chown(data, NOBODY.pw_uid, NOBODY.pw_gid)
    return _unprivileged(
        LEAD_OFFERS_DATABASE_URL=sqlite_url(data / "leads.db"),
        LEAD_OFFERS_JWT_SECRET=SECRET,
        TMPDIR="/nonexistent",
        PYTHONPATH=str(dependencies),
        PATH=f"{installed}{os.pathsep}{os.environ['PATH']}",
    )


def test_the_version(installed: Path, unprivileged: dict[str, Any]) -> None:
    result = _run([installed / "lead-offers", "--version"], **unprivileged)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{PROJECT['version']}\n", "")


def test_it_runs_without_privileges_on_files_it_cannot_write(
    folder: Path, installed: Path, unprivileged: dict[str, Any]
) -> None:
    before = _files(folder)
    port = free_port()
    assert _run([installed / "lead-offers", "migrate"], **unprivileged).returncode == 0
    with running([installed / "lead-offers", "serve", "--port", str(port)], port, **unprivileged):
        url = f"http://127.0.0.1:{port}"
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
    assert {path.parent.name for path in written} <= {"data"}


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_the_commands_that_install_from_the_repository(
    repository: Path, installed: Path, wheel: Path, dependencies: Path, database_url: str
) -> None:
    """pip installs the wheel of that folder, which it would build a second time."""
    port = free_port()
    script = replaced(
        FROM_REPOSITORY,
        (" .\n", f" {wheel}\n"),
        ("postgresql+asyncpg://USER:PASSWORD@HOST/NAME", shlex.quote(database_url)),
        ("lead-offers serve", f"exec lead-offers serve --port {port}"),
    )
    with running(["bash", "-ec", script], port, **_operator(installed, dependencies, cwd=repository)):
        assert httpx2.get(f"http://127.0.0.1:{port}/readyz").json() == {"status": "ok"}


def test_the_commands_that_turn_on_traces(installed: Path, dependencies: Path, database_url: str) -> None:
    port = free_port()
    options = _operator(
        installed,
        dependencies,
        LEAD_OFFERS_DATABASE_URL=database_url,
        LEAD_OFFERS_JWT_SECRET=SECRET,
        OTEL_BSP_SCHEDULE_DELAY="200",
    )
    with receiving() as traces:
        script = replaced(TRACES, ("http://127.0.0.1:4318", traces.url))
        with running(["bash", "-ec", f"{script}exec lead-offers serve --port {port}"], port, **options):
            httpx2.get(f"http://127.0.0.1:{port}/leads/1/offers")
            assert traces.named("GET /leads/{lead_id}/offers").resource["service.name"] == "lead-offers"


def test_the_extras_exist() -> None:
    named = {extra for extras in re.findall(r"lead-offers\[([\w,]+)\]", PAGE) for extra in extras.split(",")}
    assert named == {"redis", "otel"} <= set(PROJECT["optional-dependencies"])


def _operator(installed: Path, dependencies: Path, cwd: str | Path = "/", **environment: str) -> dict[str, Any]:
    """Return how to run what an operator types in a shell in which the virtual environment is active."""
    path = f"{installed}{os.pathsep}{os.environ['PATH']}"
    given = {"PATH": path, "PYTHONPATH": str(dependencies), "PIP_NO_INDEX": "1", **environment}
    return {"env": os.environ | given, "cwd": cwd}


# systemd


def _units(installed: Path) -> dict[str, str]:
    """Return the documented units by their names, with the commands that are installed here."""
    (other,) = re.findall(r"`lead-offers-dispatch.service` is the same with `(ExecStart=[^`]+)`", PAGE)
    units = {
        "lead-offers.service": UNIT,
        "lead-offers-dispatch.service": re.sub(r"^ExecStart=.*$", other, UNIT, flags=re.MULTILINE),
    }
    return {name: replaced(unit, ("/opt/lead-offers/bin", str(installed))) for name, unit in units.items()}


def test_systemd_accepts_the_units(installed: Path, tmp_path: Path) -> None:
    units = _units(installed)
    for name, unit in units.items():
        (tmp_path / name).write_text(unit)
    result = _run([program("systemd-analyze"), "verify", "--man=no", *(str(tmp_path / name) for name in units)])
    assert result.returncode == 0, result.stderr
    assert str(tmp_path) not in result.stderr
    assert "lead-offers" not in result.stderr


def test_what_the_units_start(folder: Path, installed: Path, dependencies: Path, database_url: str) -> None:
    """Without privileges, with the documented settings and a folder for temporary files, two processes serve."""
    settings = replaced(ENVIRONMENT, (DOCUMENTED_URL, database_url), ("AT-LEAST-32-BYTES", SECRET))
    environment = dict(line.split("=", maxsplit=1) for line in settings.splitlines())
    server, worker = map(_command_of, _units(installed).values())
    url = make_url(database_url)
    host = url.host or str(url.query["host"])
    user = owner(host) if host.startswith("/") else "nobody"  # who may use the socket
    temporary = folder / "tmp"
    temporary.mkdir()
    if IS_ROOT:
        shutil.chown(temporary, user)
    options = _unprivileged(user, **environment, TMPDIR=str(temporary), PYTHONPATH=str(dependencies))
    port = free_port()
    with running([*server, "--port", str(port)], port, **options) as process:
        assert httpx2.get(f"http://127.0.0.1:{port}/readyz").json() == {"status": "ok"}
        process.terminate()
        assert process.wait(10) == 0
    result = _run([*worker, "--once"], **options)
    assert result.returncode == 0, result.stderr


def _command_of(unit: str) -> list[str]:
    """Return the command that a unit starts."""
    parser = ConfigParser(interpolation=None)
    parser.read_string(unit)
    return shlex.split(parser["Service"]["ExecStart"])


# The container


def _instructions(containerfile: str = CONTAINERFILE) -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", containerfile, flags=re.MULTILINE)
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
    assert int(_only("USER")) >= 1000
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("COPY", "RUN"))
    assert f"useradd --uid {_only('USER')} --no-create-home --shell /usr/sbin/nologin" in _only("RUN")


def test_the_image_with_extras_ends_without_privileges() -> None:
    (_, image), (_, before), (_, install), last = _instructions(WITH_EXTRAS)
    assert f" --tag {image} " in AS_CONTAINER
    assert (before, last) == ("root", ("USER", _only("USER")))
    assert install.split(" '")[0] in _only("RUN")


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


def _podman() -> ArgumentParser:
    """Return a parser of the documented commands, with Podman's options as its manual has them."""
    podman = ArgumentParser(prog="podman", allow_abbrev=False)
    commands = podman.add_subparsers(required=True)
    build = commands.add_parser("build", allow_abbrev=False)
    for option in ("--file", "--format", "--tag"):
        build.add_argument(option, required=True)
    build.add_argument("context")
    run = commands.add_parser("run", allow_abbrev=False)
    for option in ("--env-file", "--publish", "--stop-timeout"):
        run.add_argument(option)
    for option in ("--no-healthcheck", "--read-only"):
        run.add_argument(option, action="store_true")
    run.add_argument("image")
    run.add_argument("arguments", nargs=REMAINDER)
    return podman


def test_the_containers_and_the_health_check(
    installed: Path, repository: Path, wheel: Path, unprivileged: dict[str, Any]
) -> None:
    build, migrate, server, worker = (_podman().parse_args(shlex.split(line)[1:]) for line in AS_CONTAINER.splitlines())
    assert (repository / build.file).read_text(encoding="utf-8") == CONTAINERFILE
    assert repository / build.context == wheel.parent
    assert build.format == "docker"  # the format of OCI has no health checks
    assert {each.image for each in (migrate, server, worker)} == {build.tag}

    options, check = _only("HEALTHCHECK").split("CMD ")
    assert "--start-period" in options
    port = free_port()
    python, *arguments = [each.replace("8000", str(port)) for each in json.loads(check)]
    assert python == "python"
    is_healthy = [installed / "python", *arguments]
    assert _run(is_healthy, **unprivileged).returncode == 1

    (entry,) = json.loads(_only("ENTRYPOINT"))
    assert _run([installed / entry, *migrate.arguments], **unprivileged).returncode == 0
    assert (server.arguments, server.publish) == ([], f"127.0.0.1:8000:{_only('EXPOSE')}")
    command = [each.replace("8000", str(port)).replace("0.0.0.0", "127.0.0.1") for each in json.loads(_only("CMD"))]
    with running([installed / entry, *command], port, **unprivileged) as process:
        assert _run(is_healthy, **unprivileged).returncode == 0
        process.terminate()
        assert process.wait(int(server.stop_timeout)) == 0
    assert worker.no_healthcheck
    assert [str(installed / entry), *worker.arguments] == _command_of(_units(installed)["lead-offers-dispatch.service"])
