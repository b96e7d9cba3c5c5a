"""Records spans with OpenTelemetry and exports them with OTLP over HTTP.

Where the spans go, and how many, is configured by the variables OTEL_…, which the SDK reads itself.

Spans contain no personal data, no tokens and no values of statements. Therefore they have no paths and no query strings
(which may contain keys), no addresses of clients, and no messages of exceptions. That is why the instrumentation
libraries are not used: those of ASGI and Starlette record URLs, and those of SQLAlchemy and asyncpg the messages of
PostgreSQL, which quote the values that it rejects.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from threading import Thread
from time import time_ns

from opentelemetry import context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.errors import ApiError, Code
from app.observability import requests

Attributes = Mapping[str, str | int]

FLUSH_SECONDS = 2.0
"""How long `close` waits until the last spans are exported: the receiver may not respond."""

LONGEST_STATEMENT = 4_000
"""Characters of a statement in its span. Compiled queries can be longer."""

REQUEST_ID = "lead_offers.request_id"
ERROR_TYPE = "error.type"

FAILURES = frozenset(code for code in Code if code.status >= 500)
"""The errors for which the server is to blame."""

TABLE = re.compile(r"\bINTO\s+([a-z_]+)|\b(?:FROM|UPDATE)\s+([a-z_]+)\b(?!\s*\()")
"""Matches the first table that a statement names; functions that return rows are none."""


class SpanRecorder:
    """Records the spans of this process. Every span has the id of its request."""

    def __init__(self) -> None:
        """Raises ValueError if a variable OTEL_… is invalid."""
        own = Resource.create({"service.name": "lead-offers", "service.version": version("lead-offers")})
        resource = own.merge(OTELResourceDetector().detect())  # what the operator has set has precedence
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("lead-offers")
        # Not the global propagator: it also passes on the header `baggage`, which may contain anything.
        self._propagator = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Export the last spans, for at most FLUSH_SECONDS."""
        flushing = Thread(target=self._provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)

    # Requests

    @contextmanager
    def request(self, name: str, attributes: Attributes, headers: Mapping[str, str]) -> Iterator[Span]:
        """Record a request while the block runs. Its parent is the span that the W3C headers name, if they do."""
        with self._span(name, SpanKind.SERVER, attributes, self._propagator.extract(headers)) as span:
            yield span

    @contextmanager
    def below(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Make the span that the W3C headers name the parent of the spans that begin in the block."""
        token = context.attach(self._propagator.extract(headers))
        try:
            yield
        finally:
            context.detach(token)

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Record a GraphQL operation over WebSocket while the block runs."""
        with self._span("GraphQL operation", SpanKind.SERVER, {"network.protocol.name": "websocket"}):
            yield

    def name_operation(self, kind: str, name: str | None) -> None:
        """Name the current span after the GraphQL operation that it executes: its kind (`query`) and its name."""
        span = get_current_span()
        span.update_name(f"{kind} {name}" if name else kind)
        span.set_attribute("graphql.operation.type", kind)
        if name:
            span.set_attribute("graphql.operation.name", name)

    def record_outcome(self, code: str) -> None:
        """Add the code of an error to the current span, which has failed if the server is to blame."""
        span = get_current_span()
        span.set_attribute(ERROR_TYPE, code)
        if code in FAILURES:
            span.set_status(Status(StatusCode.ERROR, code))

    # Statements

    @contextmanager
    def statement(self, text: str, system: str) -> Iterator[None]:
        """Record an SQL statement while the block runs."""
        span, error = self.begin_statement(text, system), None
        try:
            yield
        except BaseException as caught:
            error = caught
            raise
        finally:
            self.end_statement(span, error)

    def begin_statement(self, text: str, system: str, began_at: int | None = None) -> Span | None:
        """Return the span of an SQL statement, to be ended by `end_statement`; None if it is not recorded.

        Statements outside of other spans are not recorded: they are health checks, and polls of the worker.
        `began_at` is when the statement began, in nanoseconds; None means now.
        """
        parent = get_current_span().get_span_context()  # it may have ended: asyncpg reports a statement a moment later
        if parent.is_remote or not parent.trace_flags.sampled:
            return None
        summary = summarize(text)
        attributes = {
            "db.system.name": system,
            "db.operation.name": summary.partition(" ")[0],
            "db.query.summary": summary,
            "db.query.text": text[:LONGEST_STATEMENT],
            **_request_id(),
        }
        return self._tracer.start_span(summary, kind=SpanKind.CLIENT, attributes=attributes, start_time=began_at)

    def end_statement(self, span: Span | None, error: BaseException | None = None) -> None:
        """End the span of a statement, which has failed if there is an error."""
        if span is None:
            return
        if error is not None:
            if isinstance(sqlstate := getattr(error, "sqlstate", None), str):
                span.set_attribute("db.response.status_code", sqlstate)
            _record_error(span, error)
        span.end()

    def add_statement(self, text: str, system: str, seconds: float, error: BaseException | None) -> None:
        """Record an SQL statement that has just ended and took so many seconds."""
        self.end_statement(self.begin_statement(text, system, time_ns() - int(seconds * 1e9)), error)

    # The worker

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        """Record a piece of the worker's work while the block runs."""
        with self._span(name, SpanKind.INTERNAL, {}):
            yield

    @contextmanager
    def message(self, channel: str, message_id: str, cause: str | None) -> Iterator[None]:
        """Record an attempt to send a message while the block runs, below the span that has caused it."""
        carrier: dict[str, str] = json.loads(cause) if cause else {}
        attributes = {
            "messaging.system": "lead_offers",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": channel,
            "messaging.message.id": message_id,
        }
        if REQUEST_ID in carrier:
            attributes[REQUEST_ID] = carrier[REQUEST_ID]
        parent = self._propagator.extract(carrier) if carrier else None
        with self._span(f"send {channel}", SpanKind.CLIENT, attributes, parent):
            yield

    def trace_context(self) -> str | None:
        """Return the W3C headers of the current span, and the request's id, as JSON; None if there is no span."""
        headers = self.headers()
        return json.dumps(headers | _request_id()) if headers else None

    def headers(self) -> dict[str, str]:
        """Return the W3C headers with which a request to another server names the current span as its parent."""
        headers: dict[str, str] = {}
        self._propagator.inject(headers)
        return headers

    # Spans

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, attributes: Attributes, parent: context.Context | None = None
    ) -> Iterator[Span]:
        """Record a span while the block runs, and the exception with which the block ends.

        A cancellation is no failure: the client has gone, or the server stops.
        """
        started = self._tracer.start_as_current_span(
            name,
            parent,
            kind,
            {**_request_id(), **attributes},
            record_exception=False,  # with its message and traceback
            set_status_on_exception=False,
        )
        with started as span:
            try:
                yield span
            except Exception as error:
                _record_error(span, error)
                raise


@lru_cache(1_000)
def summarize(statement: str) -> str:
    """Return the first word of a statement and the first table that it names, such as `SELECT lead_offers`."""
    verb = re.search(r"[A-Za-z]+", statement)
    table = TABLE.search(statement)
    return " ".join([verb[0].upper() if verb else "SQL", *([table[1] or table[2]] if table else [])])


def _record_error(span: Span, error: BaseException) -> None:
    """Mark the span as failed, with the code or the class of the error, but not with its message."""
    name = str(error.code) if isinstance(error, ApiError) else type(error).__qualname__
    span.set_attribute(ERROR_TYPE, name)
    span.set_status(Status(StatusCode.ERROR, name))


def _request_id() -> dict[str, str]:
    request_id = requests.current().id
    return {} if request_id == requests.NO_ID else {REQUEST_ID: request_id}
