"""Runs a real Redis on the loopback interface, which can be paused, stopped and started again."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.processes import free_port, listens

PASSWORD = "p#ss w/rd"


@dataclass
class RedisServer:
    """A Redis that keeps nothing on disk, so that it forgets all counts when it stops."""

    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL for LEAD_OFFERS_RATE_LIMIT_STORAGE."""
        return f"async+redis://:p%23ss%20w%2Frd@127.0.0.1:{self.port}/1"

    def start(self) -> None:
        """Start Redis and wait until it listens."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "requirepass": PASSWORD, "dir": "/tmp"}
        command = ["redis-server", *(part for name, value in options.items() for part in (f"--{name}", value))]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not listens(self.port):
            assert self.process.poll() is None, "Redis ended before it listened"
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill Redis: its port refuses connections from then on."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """Stop Redis from answering. Its port still accepts connections."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused Redis go on."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def run(self, *command: str) -> str:
        """Run a command with redis-cli and return what it prints."""
        arguments = ["redis-cli", "-p", str(self.port), "-a", PASSWORD, "--no-auth-warning", *command]
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a Redis, and stop it at the end."""
    redis = RedisServer()
    redis.start()
    try:
        yield redis
    finally:
        redis.stop()
