"""An OTLP receiver on loopback: an HTTP server that decodes the spans it is sent, as a collector of traces does."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2

KINDS = {number: name.removeprefix("SPAN_KIND_") for name, number in trace_pb2.Span.SpanKind.items()}


@dataclass(frozen=True)
class Span:
    """A span, with its ids in hexadecimal. A root span has no parent id. `resource` describes the process."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    seconds: float
    failed: bool
    description: str
    attributes: Mapping[str, str | int]
    resource: Mapping[str, str | int]
    text: str
    """Everything that was sent of it."""


@dataclass
class Receiver:
    """The spans in the order of their arrival. While `is_silent` is set, the receiver does not respond."""

    url: str
    spans: list[Span] = field(default_factory=list)
    is_silent: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, wanted: Callable[[Span], object], number: int = 1, seconds: float = 30) -> list[Span]:
        """Return the wanted spans once at least so many have arrived."""
        deadline = time.monotonic() + seconds
        while len(found := [span for span in self.spans if wanted(span)]) < number:
            names = [span.name for span in self.spans]
            assert time.monotonic() < deadline, f"the spans did not arrive; there are {names}"
            time.sleep(0.05)
        return found

    def named(self, name: str) -> Span:
        """Return the only span with this name, once it has arrived."""
        (span,) = self.wait_for(lambda span: span.name == name)
        return span

    def below(self, parent: Span) -> list[Span]:
        return [span for span in self.spans if span.parent_id == parent.span_id]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run the receiver on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.is_silent.is_set():
                receiver.ended.wait()
                return
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            receiver.spans += _spans(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_details: object) -> None:
            """Write no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        resource = {each.key: _value(each.value) for each in resource_spans.resource.attributes}
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield Span(
                    name=span.name,
                    kind=KINDS[span.kind],
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                    description=span.status.message,
                    attributes={each.key: _value(each.value) for each in span.attributes},
                    resource=resource,
                    text=str(span),
                )


def _value(value: AnyValue) -> str | int:
    return value.int_value if value.HasField("int_value") else value.string_value
