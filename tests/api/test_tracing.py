"""The traces of a real server, as a collector receives them over OTLP."""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from tests.support.fake_collector import Collector, SentSpan, collecting
from tests.support.fake_server import serving
from tests.support.server import Server, free_port
from tests.support.sound import tone, wav

pytestmark = pytest.mark.slow
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CHILD_OF_CLIENT = f"00-{TRACE}-{PARENT}-01"
SECRETS = ("sk-test", "private-name", "private words", "word0", "nobody-knows-it", "secret-path", "127.0.0.1")


def ask(
    client: httpx2.Client, seconds: float = 1, model: str = "whisper-1", traceparent: str | None = None
) -> int:
    data = {"model": model, "prompt": "private words"}
    headers = {"traceparent": traceparent} if traceparent else {}
    files = {"file": ("private-name.wav", io.BytesIO(wav(tone(seconds))))}
    return client.post("/audio/transcriptions", data=data, files=files, headers=headers).status_code


def stop(server: Server) -> None:
    server.process.terminate()
    assert server.process.wait(60) in (0, -15)


def named(spans: list[SentSpan], name: str) -> list[SentSpan]:
    return [span for span in spans if span.name == name]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collector, str]:
    """A collector with everything that a server sent, and the log of that server."""
    folder = tmp_path_factory.mktemp("traced")
    with collecting() as collector:
        headers = '{ x-team = "speech" }'
        with (
            serving(folder, TRACING_ENDPOINT=collector.url, TRACING_HEADERS=headers) as server,
            server.client() as client,
        ):
            assert ask(client, 90, traceparent=CHILD_OF_CLIENT) == 200
            said = {"model": "tts-1", "voice": "alloy", "input": "private words. And more."}
            assert client.post("/audio/speech", json=said).status_code == 200
            assert ask(client, model="nobody-knows-it") == 404
            assert client.get(f"{server.root}/secret-path?q=secret-path").status_code == 404
            assert client.get(f"{server.root}/health/live").status_code == 200
            stop(server)
        return collector, (folder / "log").read_text()


def test_a_request_is_one_trace_and_the_clients(traced: tuple[Collector, str]) -> None:
    spans = [span for span in traced[0].spans if span.trace == TRACE]
    (request,) = named(spans, "POST /v1/audio/transcriptions")
    assert request.parent.hex() == PARENT
    assert request.facts["http.response.status_code"] == 200
    assert request.facts["gen_ai.operation.name"] == "speech_to_text"
    assert request.facts["antiphon.outcome"] == "done"
    assert request.facts["antiphon.audio_seconds"] == 90
    assert not request.failed
    (decode,) = named(spans, "decode")
    rows = len(named(spans, "queue"))
    assert rows >= 3
    works = named(spans, "work")
    assert len(works) == rows
    assert {span.parent for span in (decode, *named(spans, "queue"), *works)} == {request.id}
    engines = named(spans, "engine")
    assert sum(span.facts["antiphon.rows"] for span in engines) == rows
    assert {span.parent for span in engines} <= {span.id for span in works}
    assert all(0 <= span.seconds <= request.seconds for span in spans)
    assert 0 < decode.facts["antiphon.busy_s"] <= decode.seconds + 0.001


def test_speech_is_encoded(traced: tuple[Collector, str]) -> None:
    (request,) = named(traced[0].spans, "POST /v1/audio/speech")
    spans = [span for span in traced[0].spans if span.trace == request.trace]
    assert Counter(span.name for span in spans) >= Counter(["encode", "queue", "work", "engine"])
    assert request.facts["gen_ai.operation.name"] == "text_to_speech"
    assert request.facts["gen_ai.request.model"] == "tones"
    assert request.facts["antiphon.first_s"] > 0


def test_errors_and_the_log(traced: tuple[Collector, str]) -> None:
    collector, log = traced
    refused = next(span for span in collector.spans if span.facts.get("http.response.status_code") == 404)
    assert refused.facts["antiphon.error"] == "model_not_found"
    assert not refused.failed, "a fault of the client is no failure of the server"
    lines = [line for line in log.splitlines() if refused.facts["antiphon.request_id"] in line]
    assert any(f"trace={refused.trace}" in line for line in lines)
    assert f"trace={TRACE}" in log


def test_what_is_sent_and_what_is_not(traced: tuple[Collector, str]) -> None:
    collector, _ = traced
    assert {path for path, _ in collector.requests} == {"/v1/traces"}
    assert all(headers["x-team"] == "speech" for _, headers in collector.requests)
    assert all(span.service["service.name"] == "antiphon" for span in collector.spans)
    sent = b"".join(collector.bodies)
    assert not [secret for secret in SECRETS if secret.encode() in sent]
    assert b"health" not in sent


def test_nothing_is_sent_without_an_endpoint_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither OpenTelemetry's own environment variables nor FastAPI's switch tracing on."""
    with collecting() as collector:
        for kind in ("", "TRACES_", "METRICS_", "LOGS_"):
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT", collector.url)
        monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
        with serving(tmp_path) as server, server.client() as client:
            assert ask(client) == 200
            stop(server)
        assert collector.requests == []
    assert "trace=" not in (tmp_path / "log").read_text()


def test_a_collector_that_is_gone_costs_no_request(tmp_path: Path) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    with serving(tmp_path, TRACING_ENDPOINT=gone) as server, server.client() as client:
        assert [ask(client) for _ in range(5)] == [200] * 5
        stop(server)
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert len(re.findall(r"opentelemetry|span batch", log)) <= 10


def test_a_share_of_the_requests(tmp_path: Path) -> None:
    with collecting() as collector:
        with (
            serving(tmp_path, TRACING_ENDPOINT=collector.url, TRACING_SAMPLE="0") as server,
            server.client() as client,
        ):
            assert ask(client) == 200
            assert ask(client, traceparent=CHILD_OF_CLIENT) == 200
            assert ask(client, traceparent="00-" + "f" * 4000) == 200
            stop(server)
        assert {span.trace for span in collector.spans} == {TRACE}
