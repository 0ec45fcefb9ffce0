"""A fake OpenTelemetry collector: receives OTLP over HTTP and keeps it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Collector:
    """A collector, and everything that it has received."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of each request."""

    @property
    def spans(self) -> list[SentSpan]:
        return [span for body in self.bodies for span in _spans(body)]


@dataclass(frozen=True)
class SentSpan:
    name: str
    id: bytes
    parent: bytes
    trace: str
    seconds: float
    facts: dict[str, Any]
    links: list[bytes]
    failed: bool
    service: dict[str, Any]


def _spans(body: bytes) -> Iterator[SentSpan]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for part in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _values(part.resource.attributes)
        for scope in part.scope_spans:
            for span in scope.spans:
                yield SentSpan(
                    name=span.name,
                    id=span.span_id,
                    parent=span.parent_span_id,
                    trace=span.trace_id.hex(),
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    facts=_values(span.attributes),
                    links=[link.span_id for link in span.links],
                    failed=span.status.code == 2,
                    service=service,
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            collector.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
