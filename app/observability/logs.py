"""Logging to standard error, one line per event, as JSON or in a readable format.

Request lines bypass the standard library's logging, which is five times as slow. All other messages, from this package
and from libraries, go through it and get the same format.
"""

import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from time import time_ns
from typing import Any

import orjson
import structlog
from structlog.types import EventDict, Processor

from app.config import LogFormat, Settings
from app.domain.api_key_form import hide_keys
from app.domain.printable import printable
from app.observability.requests import current

DETAIL = re.compile(r"^(DETAIL|CONTEXT|WHERE):.*$\n?", re.MULTILINE)
"""Lines of a PostgreSQL error that quote rejected values."""

KEY_IN_ADDRESS = re.compile(r"(/intake/+)[^\s\"'/?#]+", re.IGNORECASE)
"""An API key in the address of an enquiry. Libraries log addresses: uvicorn does for every WebSocket."""

WriteLine = Callable[[str, EventDict], None]
"""Writes an event with its fields."""


def request_logger(settings: Settings) -> WriteLine:
    """Return the function that writes the log lines of requests."""
    render = _renderer(settings)

    def write(event: str, fields: EventDict) -> None:
        line = render(None, "info", {"timestamp": _timestamp(), "level": "info", "event": event, **fields})
        sys.stderr.write(str(line) + "\n")  # standard error is flushed with each line

    return write


def configure_logging(settings: Settings) -> None:
    """Configure this process to log to standard error, each line with the id of its request."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_timestamp,
        _add_request_id,
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _remove_values,
                _renderer(settings),
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every malformed form
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs every URL, and those of webhooks are secret


def _renderer(settings: Settings) -> Processor:
    if settings.log_format is LogFormat.CONSOLE:
        render = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        return lambda logger, method, event: render(logger, method, _escape_controls(event))
    return structlog.processors.JSONRenderer(_json)


def _json(event: EventDict, **_options: Any) -> str:
    return printable(orjson.dumps(event, default=str).decode())


def _escape_controls(event: EventDict) -> EventDict:
    """Escape what would control a terminal. Messages and tracebacks keep their lines."""
    lines = ("event", "exception", "stack")
    return {
        name: printable(value, "\n" if name in lines else "") if isinstance(value, str) else value
        for name, value in event.items()
    }


def _add_timestamp(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {"timestamp": _timestamp(), **event}


def _timestamp() -> str:
    """Return the current time in ISO 8601. `isoformat` takes several times as long as writing the milliseconds."""
    now = time_ns() // 1_000_000
    return f"{_second(now // 1000)}.{now % 1000:03}+00:00"


@lru_cache(1)
def _second(seconds: int) -> str:
    """Return the second as the beginning of a timestamp. Most lines come within the same one as the line before."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _add_request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    event["request_id"] = current().id
    return event


def _remove_values(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Remove user data that PostgreSQL quotes in its errors, and API keys in addresses."""
    for name in ("event", "exception"):
        if isinstance(event.get(name), str):
            event[name] = hide_keys(KEY_IN_ADDRESS.sub(r"\1…", DETAIL.sub("", event[name])))
    return event
