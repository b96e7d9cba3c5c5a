"""The HTTP client of the channels that send over HTTP."""

from typing import Any

import httpx2

from app.observability import tracing


def http_client(**options: Any) -> httpx2.AsyncClient:
    """Return a client that opens a connection for each request; the options are those of `AsyncClient`.

    A connection that was kept may have died without a sign. The message would then wait for its timeout and for its
    next attempt, a minute later, where a new connection takes milliseconds.

    If tracing is on, its requests name the current span as their parent (W3C Trace Context).
    """
    if (recorder := tracing.recorder()) is not None:

        async def add_headers(request: httpx2.Request) -> None:
            request.headers.update(recorder.headers())

        options["event_hooks"] = {"request": [add_headers]}
    return httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0), **options)
