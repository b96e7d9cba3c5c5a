"""Programs of Debian's packages, which scripts/install installs and tests run on ports of their own."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import listens


def program(name: str) -> str:
    """Return the path of a program. Skips the test if it is not installed, which fails in CI."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed; scripts/install installs it")
    return found


@contextmanager
def running(command: Sequence[str | Path], port: int, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that listens on a port of 127.0.0.1, and end it after the `with` block. Options go to Popen."""
    process = subprocess.Popen(command, **options)
    try:
        while not listens(port):
            assert process.poll() is None, f"{command[0]} ended before it listened"
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def owner(path: str | Path) -> str:
    """Return the name of the user who owns a file."""
    return pwd.getpwuid(Path(path).stat().st_uid).pw_name
