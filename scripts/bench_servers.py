"""Starts the servers that scripts/bench measures: this one, and the hand-written limit."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_data import LEAD_OFFERS, VIEWER, Data

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A server process."""

    data: Data
    port: int
    pid: int
    start_up: float
    """Seconds until it accepted connections."""

    def memory(self) -> float:
        """Return its resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def cpu(self) -> float:
        """Return the CPU seconds used by the server and by its connections in PostgreSQL."""
        if self.data.is_sqlite:
            return _cpu(self.pid)
        connections = self.data.ask(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return sum(_cpu(pid) for pid in (self.pid, *(pid for (pid,) in connections)))


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:  # the process has ended in the meantime
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def serving(data: Data) -> Iterator[Server]:
    """Run this project's server."""
    with _process(data, lambda port: [*LEAD_OFFERS, "serve", "--port", port], data.environment) as server:
        yield server


@contextmanager
def serving_limit(data: Data) -> Iterator[Server]:
    """Run the hand-written server of bench_limit.py."""
    environment = os.environ | {"DATABASE_URL": data.url, "VIEWER_ID": str(VIEWER)}
    options = ["--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]

    def command(port: str) -> list[str]:
        return [sys.executable, "-m", "uvicorn", "bench_limit:app", "--port", port, *options]

    with _process(data, command, environment) as server:
        yield server


@contextmanager
def _process(data: Data, command: Any, environment: dict[str, str]) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(
        command(str(port)), env=environment, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not _listens(port):
            if process.poll() is not None or time.perf_counter() - started > 60:
                sys.exit(f"{command(str(port))} did not start within a minute")
            time.sleep(0.01)
        yield Server(data, port, process.pid, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
