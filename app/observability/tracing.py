"""Traces: spans of requests, of their SQL statements and of the messages that are sent. Off unless a setting says so.

While tracing is off, OpenTelemetry is not imported, and its packages need not be installed: they are the extra `otel`.
Each function here then costs one comparison. app/observability/span_recorder.py has the rest.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from app.config import PREFIX, Settings

if TYPE_CHECKING:
    from app.observability.span_recorder import SpanRecorder

_recorder: "SpanRecorder | None" = None


def start(settings: Settings) -> None:
    """Start tracing in this process if the settings say so. Call it before the database is opened.

    Raises ValueError if a package is missing, or if a variable OTEL_… is invalid.
    """
    global _recorder  # noqa: PLW0603  one per process, as that of logging
    if not settings.tracing or _recorder is not None:
        return
    try:
        from app.observability.span_recorder import SpanRecorder  # noqa: PLC0415  an extra
    except ImportError as error:
        message = f"{PREFIX}TRACING is on, but {error.name} is not installed: pip install 'lead-offers[otel]'"
        raise ValueError(message) from error
    _recorder = SpanRecorder()


def stop() -> None:
    """Export the last spans, for a few seconds at most, and stop tracing."""
    global _recorder  # noqa: PLW0603
    if _recorder is not None:
        _recorder.close()
        _recorder = None


def recorder() -> "SpanRecorder | None":
    """Return what records the spans of this process, or None if tracing is off."""
    return _recorder


def operation_span() -> AbstractContextManager[None]:
    """Record a GraphQL operation over WebSocket while the block runs."""
    return nullcontext() if _recorder is None else _recorder.operation()


def statement_span(text: str, system: str) -> AbstractContextManager[None]:
    """Record an SQL statement while the block runs. `system` is `postgresql` or `sqlite`."""
    return nullcontext() if _recorder is None else _recorder.statement(text, system)


def work_span(name: str) -> AbstractContextManager[None]:
    """Record a piece of the worker's work while the block runs, so that its statements belong together."""
    return nullcontext() if _recorder is None else _recorder.work(name)


def message_span(channel: str, message_id: str, cause: str | None = None) -> AbstractContextManager[None]:
    """Record an attempt to send a message while the block runs.

    Its parent is the span that has caused the message: `cause` is what `trace_context` returned then.
    """
    return nullcontext() if _recorder is None else _recorder.message(channel, message_id, cause)


def trace_context() -> str | None:
    """Return the current span and the request's id as text, to be stored with a message that the request causes.

    It is None if there is no span.
    """
    return None if _recorder is None else _recorder.trace_context()


def record_outcome(code: str) -> None:
    """Add the code of an error to the current span."""
    if _recorder is not None:
        _recorder.record_outcome(code)
