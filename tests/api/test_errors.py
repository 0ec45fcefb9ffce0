"""The error envelope has the same form on every path, whatever the error is."""

from __future__ import annotations

import httpx2
import pytest

from app.container import Container
from app.main import create_app
from engines.errors import EngineError, UnsupportedInput
from tests.support.fake_engines import EchoTranscriber
from tests.support.sound import tone, wav

KEYS = {"message", "type", "param", "code"}
AUDIO = ("a.wav", wav(tone(1)), "audio/wav")


def envelope(answer: httpx2.Response, status: int) -> dict[str, str | None]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["openai-processing-ms"].isdigit()
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == KEYS
    assert body["error"]["message"]
    error: dict[str, str | None] = body["error"]
    return error


async def test_the_header_counts_the_time_of_the_work(
    client: httpx2.AsyncClient, engine: EchoTranscriber
) -> None:
    engine.seconds = 0.06
    answer = await client.post("/audio/transcriptions", data={"model": "whisper-1"}, files={"file": AUDIO})
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["openai-processing-ms"]) >= 50


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/no/such/path", 404, "unknown_url"),
        ("GET", "/v1/audio/transcriptions", 404, "unknown_url"),
        ("PUT", "/audio/transcriptions", 405, "method_not_allowed"),
        ("DELETE", "/models/whisper-1", 405, "method_not_allowed"),
        ("POST", "/audio/transcriptions/", 400, "invalid_content_type"),
        ("GET", "/models/nope", 404, "model_not_found"),
        ("GET", "/models/some%2Fone", 404, "model_not_found"),
        ("GET", "/models/%00", 404, "model_not_found"),
        ("GET", "/models/../../etc/passwd", 404, "unknown_url"),
    ],
)
async def test_paths(client: httpx2.AsyncClient, method: str, path: str, status: int, code: str) -> None:
    assert envelope(await client.request(method, path), status)["code"] == code


async def test_a_doubled_base_url_is_named(client: httpx2.AsyncClient) -> None:
    doubled = envelope(await client.get("/v1/models"), 404)
    assert "`/v1` twice" in str(doubled["message"])
    bare = envelope(await client.get("http://test/audio/speech"), 404)
    assert "ends with `/v1`" in str(bare["message"])


async def test_405_names_what_is_allowed(client: httpx2.AsyncClient) -> None:
    assert (await client.put("/audio/transcriptions")).headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "model"),
        ({"model": ""}, "model"),
        ({"model": "whisper-1", "temperature": "hot"}, "temperature"),
        ({"model": "whisper-1", "temperature": "nan"}, "temperature"),
        ({"model": "whisper-1", "response_format": "yaml"}, "response_format"),
        ({"model": "whisper-1", "response_format": "json", "diarize": "true"}, "response_format"),
        ({"model": "whisper-1", "language": "klingon"}, "language"),
        ({"model": "whisper-1", "stream": "perhaps"}, "stream"),
        ({"model": "whisper-1", "chunking_strategy": "always"}, "chunking_strategy"),
        ({"model": "whisper-1", "chunking_strategy": '{"type":'}, "chunking_strategy"),
        ({"model": "whisper-1", "chunking_strategy[type]": "x"}, "chunking_strategy[type]"),
        ({"model": "whisper-1", "timestamp_granularities[]": "sentence"}, "timestamp_granularities"),
        ({"model": "whisper-1", "include[]": "secrets"}, "include"),
        ({"model": "whisper-1", "beam_size": "1.5"}, "beam_size"),
        ({"model": "whisper-1", "prompt": "x" * 100_001}, "prompt"),
    ],
)
async def test_fields(client: httpx2.AsyncClient, fields: dict[str, str], param: str) -> None:
    answer = await client.post("/audio/transcriptions", data=fields, files={"file": AUDIO})
    assert envelope(answer, 400)["param"] == param


@pytest.mark.parametrize("path", ["transcriptions", "translations"])
async def test_what_is_no_upload(client: httpx2.AsyncClient, path: str) -> None:
    url = f"/audio/{path}"
    kind = {"content-type": "multipart/form-data; boundary=x"}
    bodies = [
        await client.post(url),
        await client.post(url, json={"model": "whisper-1", "file": "a.wav"}),
        await client.post(url, data={"model": "whisper-1"}),
        await client.post(url, content=b"", headers={"content-type": "multipart/form-data"}),
        await client.post(url, content=b"--x\r\n", headers=kind),
        await client.post(url, content=b"no boundary at all", headers=kind),
        await client.post(url, files={"model": (None, "whisper-1")}),
        await client.post(url, files={"model": (None, "whisper-1"), "file": (None, "text, not a file")}),
    ]
    for answer in bodies:
        envelope(answer, 400)


async def test_too_many_fields_and_files(client: httpx2.AsyncClient) -> None:
    fields = [(f"f{i}", (None, "x")) for i in range(200)]
    envelope(await client.post("/audio/transcriptions", files=fields), 400)
    files = [(f"f{i}", AUDIO) for i in range(20)]
    envelope(await client.post("/audio/transcriptions", files=files), 400)


async def test_an_unknown_model_is_404_before_the_audio_is_read(client: httpx2.AsyncClient) -> None:
    for name in ("nope", "a/b", "../x", "whisper-1\0", "x" * 5000, "/etc"):
        answer = await client.post("/audio/transcriptions", data={"model": name}, files={"file": AUDIO})
        assert envelope(answer, 404)["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("failure", "status"), [(UnsupportedInput("It cannot."), 400), (EngineError("CUDA at /opt/x"), 500)]
)
async def test_a_failing_engine(
    client: httpx2.AsyncClient, engine: EchoTranscriber, failure: EngineError, status: int
) -> None:
    engine.failure = failure
    answer = await client.post("/audio/transcriptions", data={"model": "whisper-1"}, files={"file": AUDIO})
    envelope(answer, status)
    assert "/opt" not in answer.text


async def test_a_fault_of_ours_leaks_nothing(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret /path")

    monkeypatch.setattr(container.registry, "listing", broken)
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
        answer = await client.get("/models")
    envelope(answer, 500)
    assert "secret" not in answer.text


async def test_consents_and_voices_that_are_not_there(client: httpx2.AsyncClient) -> None:
    assert envelope(await client.get("/audio/voice_consents/x"), 404)["code"] == "consent_not_found"
    assert envelope(await client.delete("/audio/voices/x"), 404)["code"] == "voice_not_found"
    envelope(await client.post("/audio/voices", files={"name": (None, "n")}), 400)
    assert (await client.get("/audio/voice_consents")).json()["data"] == []


async def test_request_ids_differ(client: httpx2.AsyncClient) -> None:
    ids = {(await client.get("/models")).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


async def test_head_and_trailing_slashes_are_answered(client: httpx2.AsyncClient) -> None:
    for path in ("/models", "http://test/health/live", "http://test/openapi.json"):
        whole, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        assert head.headers["content-length"] == whole.headers["content-length"]
        assert (await client.get(path + "/")).json() == whole.json()
    assert (await client.head("/no/such")).status_code == 404
    assert (await client.head("/audio/speech")).status_code == 405
    assert (
        await client.post("/audio/transcriptions/", data={"model": "whisper-1"}, files={"file": AUDIO})
    ).is_success
