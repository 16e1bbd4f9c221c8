"""An OTLP/HTTP receiver, the nearest thing to a collector: it decodes what it is sent, and keeps it."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

LOST = "lost"


@dataclass(frozen=True)
class Seen:
    """One span as it arrived; `parent` is empty for a root."""

    trace: bytes
    id: bytes
    parent: bytes
    name: str
    service: str
    attributes: dict[str, str]


@dataclass
class Collector:
    endpoint: str
    spans: list[Seen] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def take(self, request: ExportTraceServiceRequest) -> None:
        with self.arrived:
            self.spans += _spans(request)
            self.arrived.notify_all()

    def wait_for(self, name: str, number: int = 1) -> list[Seen]:
        """Return the spans of that name once so many are there."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.named(name)) >= number, timeout=60), (
                f"{len(self.named(name))} of {number} spans {name} came"
            )
            return self.named(name)

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]

    def ancestry(self, span: Seen) -> list[str]:
        """Name the span and those above it, up to the root, or to LOST: its process died before it ended."""
        by_id = {one.id: one for one in self.spans}
        names = [span.name]
        while span.parent:
            if span.parent not in by_id:
                return [*names, LOST]
            span = by_id[span.parent]
            names.append(span.name)
        return names

    def most_often(self) -> int:
        """Return how often the same span came at most: by its id, which is the same in every replay."""
        return max(Counter(span.id for span in self.spans).values())

    def each(self, name: str) -> int:
        """Count the spans of that name, each once."""
        return len({span.id for span in self.named(name)})


@contextmanager
def collecting() -> Iterator[Collector]:
    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces", self.path
            collector.take(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receive) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource in request.resource_spans:
        service = {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    trace=span.trace_id,
                    id=span.span_id,
                    parent=span.parent_span_id,
                    name=span.name,
                    service=service,
                    attributes={one.key: str(one.value) for one in span.attributes},
                )
