"""Waits for what happens at its own time, such as the work of a worker or a request of a page."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(is_true: Callable[[], bool | Awaitable[bool]], seconds: float = 60) -> None:
    """Wait until a condition is true. The test fails if it is not in time."""
    deadline = time.monotonic() + seconds
    while not (met if isinstance(met := is_true(), bool) else await met):
        assert time.monotonic() < deadline, "the condition was not met in time"
        await asyncio.sleep(0.05)
