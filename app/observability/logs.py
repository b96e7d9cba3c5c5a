"""The log: one line an event on standard error, as JSON or for a person to read.

A request's line is written by itself and not through the standard library's logging, which would cost five times as
much. All else, our own and the libraries', comes by way of it in the same shape.
"""

import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.types import EventDict, Processor

from app.config import LogFormat, Settings
from app.observability.requests import current

DETAIL = re.compile(r"^(DETAIL|CONTEXT|WHERE):.*$\n?", re.MULTILINE)
"""Where PostgreSQL quotes the values that it would not take."""


WriteLine = Callable[[str, EventDict], None]
"""Writes what happened, and what is known of it, at once."""


def request_log(settings: Settings) -> WriteLine:
    """What lines of requests are written with."""
    render = _render(settings)

    def write(event: str, known: EventDict) -> None:
        line = render(None, "info", _now(None, "info", {"level": "info", "event": event, **known}))
        sys.stderr.write(str(line) + "\n")
        sys.stderr.flush()

    return write


def configure_logging(settings: Settings) -> None:
    """Sends what this process logs to standard error, each line with the id of its request."""
    before: list[Processor] = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _now, _request_id]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_values,
                _render(settings),
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs each address it asks: those of webhooks are secret


def _render(settings: Settings) -> Processor:
    if settings.log_format is LogFormat.CONSOLE:
        return structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.JSONRenderer(_json)


def _json(event: EventDict, **_options: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _now(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {"timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"), **event}


def _request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    event["request_id"] = current().id
    return event


def _without_values(_logger: object, _method: str, event: EventDict) -> EventDict:
    """What people sent stays out of the log, also where PostgreSQL quotes it in an error."""
    for name in ("event", "exception"):
        if isinstance(event.get(name), str):
            event[name] = DETAIL.sub("", event[name])
    return event
