"""Starts servers and workers as processes, with the command line that an operator uses."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests.support.api import SECRET

ROOT = Path(__file__).parents[2]
FULL = os.environ.get("LEAD_OFFERS_TEST_FULL") == "1" and os.environ.get("LEAD_OFFERS_TEST_DATABASE") == "postgresql"
"""Whether races, crashes and the storm run for longer, as in CI on PostgreSQL, the database of production."""

_started: list[subprocess.Popen[bytes]] = []


def start(database_url: str, *arguments: str, log_file: str | None = None, **settings: str) -> subprocess.Popen[bytes]:
    """Start `lead-offers ARGUMENTS` on the database; settings as `fallback="console"`. It logs to stderr or a file."""
    given = {f"LEAD_OFFERS_{name.upper()}": value for name, value in settings.items()}
    environment = os.environ | {
        "LEAD_OFFERS_DATABASE_URL": database_url,
        "LEAD_OFFERS_JWT_SECRET": SECRET,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        **given,
    }
    command = [sys.executable, "-c", "from app.cli import app; app()", *arguments]
    with Path(log_file).open("ab") if log_file else nullcontext() as log:
        process = subprocess.Popen(command, env=environment, stderr=log)
    _started.append(process)
    return process


@contextmanager
def ending_processes() -> Iterator[None]:
    """Kill what was started meanwhile and still runs, as after a test that failed."""
    before = len(_started)
    try:
        yield
    finally:
        for process in _started[before:]:
            if process.poll() is None:
                process.kill()
                process.wait()
        del _started[before:]


def stop(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, and wait up to 20 seconds for the process to end."""
    process.terminate()
    process.wait(timeout=20)


def serve(
    database_url: str, *arguments: str, log_file: str | None = None, **settings: str
) -> tuple[subprocess.Popen[bytes], str]:
    """Start `lead-offers serve` on a free port of 127.0.0.1. Returns the process and its URL without a final slash."""
    port = free_port()
    process = start(database_url, "serve", "--port", str(port), *arguments, log_file=log_file, **settings)
    while not listens(port):
        assert process.poll() is None, "the server ended before it listened"
        time.sleep(0.05)
    return process, f"http://127.0.0.1:{port}"


@contextmanager
def server(database_url: str, *arguments: str, log_file: str | None = None, **settings: str) -> Iterator[str]:
    """Run `lead-offers serve`, and stop it at the end. Gives its URL without a final slash."""
    process, url = serve(database_url, *arguments, log_file=log_file, **settings)
    try:
        yield url
    finally:
        stop(process)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether a server accepts connections on the port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
