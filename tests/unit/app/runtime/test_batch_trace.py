"""Tracing spans of batches: each row is in the trace of its request, and the engine's span is linked to all
of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app import tracing
from app.runtime.admission import Permit
from app.tracing import current_span, describe, traced
from engines.errors import EngineError
from engines.types import TranscribeOptions, Window, WindowResult
from tests.support.fake_engines import EchoTranscriber
from tests.support.lanes import lane_of, permits, submit, window
from tests.support.waiting import wait_until

admit = permits()


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    provider, memory = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(tracing, "_provider", provider)
    yield memory
    provider.shutdown()


def asked(name: str) -> Permit:
    with traced(None) as span:
        assert span
        assert current_span() is span
        describe(span, name, {})
        return admit()


def test_a_batch_is_linked_to_its_requests(exporter: InMemorySpanExporter) -> None:
    engine = EchoTranscriber()
    lane = lane_of(engine, rows=4)
    try:
        engine.gate.clear()
        submit(lane, window(), admit())  # not traced, and keeps the lane busy
        wait_until(lambda: engine.batches)
        permits = [asked("one"), asked("two"), admit()]
        futures = [submit(lane, window(), permit) for permit in permits]
        engine.gate.set()
        assert all(future.result(20) for future in futures)
    finally:
        engine.gate.set()
        lane.close()
    spans = exporter.get_finished_spans()
    requests = {span.name: span.context for span in spans if span.name in ("one", "two")}
    (batch,) = [span for span in spans if span.name == "engine"]
    assert {link.context.span_id for link in batch.links} == {one.span_id for one in requests.values()}
    assert (batch.attributes or {})["antiphon.rows"] == 3
    first, second = [span for span in spans if span.name == "work"]
    assert batch.parent
    assert batch.parent.span_id == first.context.span_id
    assert [link.context.span_id for link in second.links] == [batch.context.span_id]
    assert len([span for span in spans if span.name == "queue"]) == 2
    assert current_span() is None


class Broken(EchoTranscriber):
    """An engine whose every call fails."""

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        raise EngineError("no")


def test_a_failure_is_told(exporter: InMemorySpanExporter) -> None:
    lane = lane_of(Broken())
    try:
        assert submit(lane, window(), asked("one")).exception(20)
    finally:
        lane.close()
    work = next(span for span in exporter.get_finished_spans() if span.name == "work")
    assert (work.attributes or {})["error.type"] == "EngineError"
