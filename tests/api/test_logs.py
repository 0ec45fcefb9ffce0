"""There is one access log line for each request, and all log lines of the request have its id."""

from __future__ import annotations

import logging

import httpx2
import pytest

from tests.support.fake_engines import EchoTranscriber
from tests.support.sound import tone, wav

FACTS = ("method", "path", "route", "status", "outcome")


def access(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [vars(record) for record in caplog.records if record.name == "antiphon.access"]


async def test_one_line_a_request_with_its_route(
    client: httpx2.AsyncClient, engine: EchoTranscriber, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await client.post("/audio/transcriptions", data={"model": "whisper-1"}, files={"file": wav(tone(1))})
    await client.get("/models/nobody%1Bknows")
    await client.get("/no/such")
    first, second, third = access(caplog)
    assert [first[key] for key in FACTS] == [
        "POST",
        "/v1/audio/transcriptions",
        "/v1/audio/transcriptions",
        200,
        "done",
    ]
    assert first["model"] == "whisper-1"
    assert isinstance(first["ms"], int)
    assert (first["key"], first["project"], first["audio_seconds"]) == ("open", "default", 1.0)
    assert first["bytes_in"] > first["bytes_out"] > 0  # type: ignore[operator]  # both are numbers
    for seconds in ("queued_s", "worked_s", "decode_s"):
        assert 0 <= first[seconds] < 30  # type: ignore[operator]  # a number
    assert (second["outcome"], second["error"]) == ("refused", "model_not_found")
    assert (second["route"], second["status"]) == ("/v1/models/{model:path}", 404)
    assert (third["route"], third["status"]) == (None, 404)


async def test_speech_tells_its_model(client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    body = {"model": "tts-1", "voice": "alloy", "input": "Good morning."}
    await client.post("/audio/speech", json=body)
    (line,) = access(caplog)
    assert (line["model"], line["outcome"]) == ("tts-1", "done")
    assert "Good morning" not in str(line)
