"""Traces over OTLP: which part of a request ran when, for tracing tools such as Jaeger.

Law: facts only, as in the access line: no text, no key, nothing that a client chose. Nothing is recorded or
sent before `open_tracing`. OpenTelemetry is imported by this module alone, and only then. Its global provider
is not used, because a library may have set it in order to send statistics.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

TRACES_PATH = "/v1/traces"
"""The path of OTLP over HTTP, for an endpoint without a path."""
EXPORT_SECONDS = 5
"""The most seconds that sending one batch of spans may take, and that the server waits when it stops."""
MOST_WAITING_SPANS = 8192
"""Spans that wait to be sent; while the collector does not answer, further ones are dropped."""
Facts = Mapping[str, str | int | float | bool | None]

_provider: TracerProvider | None = None
_current: ContextVar[Span | None] = ContextVar("span", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingRules:
    """Where traces are sent, and how many."""

    endpoint: str
    """URL of the collector."""
    headers: Mapping[str, str]
    """Headers of each export, such as a key of the collector."""
    sample: float
    """Share of the requests that are traced, 0 to 1, unless the client's `traceparent` decides."""
    version: str


def tracing_installed() -> bool:
    """Whether the extra `otel` is installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401 - only whether it is there
    except ImportError:
        return False
    return True


def open_tracing(rules: TracingRules) -> None:
    """Begins to record requests and to send them in the background."""
    global _provider  # noqa: PLW0603 - as logging: one for the process
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    path = "" if urlsplit(rules.endpoint).path.strip("/") else TRACES_PATH
    exporter = OTLPSpanExporter(
        endpoint=rules.endpoint.rstrip("/") + path, headers=rules.headers, timeout=EXPORT_SECONDS
    )
    known = Resource.create({"service.name": "antiphon", "service.version": rules.version})
    _provider = TracerProvider(
        resource=known,
        sampler=ParentBased(TraceIdRatioBased(rules.sample)),
        shutdown_on_exit=False,
    )
    _provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=MOST_WAITING_SPANS))


def close_tracing() -> None:
    """Sends what is left; blocks, `EXPORT_SECONDS` at most. Nothing is recorded afterwards."""
    global _provider
    provider, _provider = _provider, None
    if provider:
        provider.shutdown()


def current_span() -> Span | None:
    """The span of the running request; None if it is not traced."""
    return _current.get()


def trace_id(span: Span) -> str:
    """The id of the trace, as other programs write it."""
    return f"{span.get_span_context().trace_id:032x}"


@contextmanager
def traced(traceparent: str | None) -> Iterator[Span | None]:
    """Traces a request. `traceparent`: the client's header of that name. Yields None if it is not traced."""
    if _provider is None:
        yield None
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {"traceparent": traceparent} if traceparent else {}
    parent = TraceContextTextMapPropagator().extract(carrier)
    span = _provider.get_tracer("antiphon").start_span("request", context=parent, kind=SpanKind.SERVER)
    token = _current.set(span if span.is_recording() else None)
    try:
        yield _current.get()
    finally:
        _current.reset(token)
        span.end()


def describe(span: Span, name: str, facts: Facts, failure: str | None = None) -> None:
    """Says what a request turned out to be. `failure`: the code of an error of the server."""
    from opentelemetry.trace import StatusCode

    span.update_name(name)
    span.set_attributes({key: value for key, value in facts.items() if value is not None})
    if failure:
        span.set_attribute("error.type", failure)
        span.set_status(StatusCode.ERROR)


def part(
    name: str, began: float, ended: float, *, parent: Span, links: Sequence[Span] = (), facts: Facts
) -> Span | None:
    """Records a span of a part of a request that has ended. `began` and `ended` are times of the monotonic
    clock.

    `links`: other spans that this part belongs to as well. Returns None if tracing has been closed.
    """
    provider = _provider
    if provider is None:
        return None
    from opentelemetry.trace import Link, set_span_in_context

    span = provider.get_tracer("antiphon").start_span(
        name,
        context=set_span_in_context(parent),
        links=[Link(other.get_span_context()) for other in links],
        attributes={key: value for key, value in facts.items() if value is not None},
        start_time=_wall(began),
    )
    span.end(_wall(ended))
    return span


class Stopwatch:
    """Measures a part of a request that works in pieces: when the first and the last piece ran, and how
    long all of them took.
    """

    def __init__(self) -> None:
        self.busy = 0.0
        """Seconds of all pieces so far."""
        self._began: float | None = None
        self._ended = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measures one piece, on any thread; pieces of one part never overlap."""
        began = time.monotonic()
        self._began = began if self._began is None else self._began
        try:
            yield
        finally:
            self._ended = time.monotonic()
            self.busy += self._ended - began

    def tell(self, name: str, parent: Span | None, facts: Facts) -> None:
        """Writes it down as a part of `parent`, if that is traced and anything ran."""
        if parent and self._began is not None:
            part(name, self._began, self._ended, parent=parent, facts={**facts, "antiphon.busy_s": self.busy})


def _wall(moment: float) -> int:
    """A moment of the monotonic clock in nanoseconds since 1970."""
    return time.time_ns() - int((time.monotonic() - moment) * 1e9)
