"""Extensions of the API that a client must ask for: about, timed deltas, progress, peaks, render."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2
import pytest

from app import __version__
from app.container import Container
from app.main import create_app
from app.settings import OPENAI_UPLOAD, Settings
from tests.support.fake_engines import EchoTranscriber, engines_of
from tests.support.migrated_database import migrated
from tests.support.sound import tone, wav


async def events(client: httpx2.AsyncClient, **fields: Any) -> list[dict[str, Any]]:
    data = {"model": "whisper-1", "stream": "true", **fields}
    answer = await client.post("/audio/transcriptions", data=data, files={"file": wav(tone(65))})
    assert answer.status_code == 200, answer.text
    assert answer.text.endswith("data: [DONE]\n\n")
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]


async def test_about_tells_what_clients_must_know(client: httpx2.AsyncClient) -> None:
    about = (await client.get("/about")).json()
    assert about["version"] == __version__
    assert about["limits"]["upload_bytes"] == 1024 * 1024 * 1024
    assert about["consent_phrases"]["en"].startswith("I am the owner of this voice")
    assert len(about["consent_phrases"]) == 16
    assert about["features"]["strict"] is False


async def test_deltas_have_times_if_asked_for(client: httpx2.AsyncClient) -> None:
    plain = await events(client)
    assert all(set(event) <= {"type", "delta", "text", "usage"} for event in plain)
    timed = await events(client, **{"timestamp_granularities[]": "word"})
    deltas = [event for event in timed if event["type"] == "transcript.text.delta"]
    assert [event["delta"] for event in deltas] == [
        event["delta"] for event in plain if event["type"] == "transcript.text.delta"
    ]
    for event in deltas:
        assert event["start"] <= event["end"]
        assert event["words"]
        assert "".join(word["word"] for word in event["words"]) == event["delta"].replace(" ", "")
        assert all(
            event["start"] <= word["start"] <= word["end"] <= event["end"] + 0.01 for word in event["words"]
        )


async def test_progress_goes_from_nothing_to_the_end(client: httpx2.AsyncClient) -> None:
    told = [e for e in await events(client, **{"include[]": "progress"}) if e["type"] == "antiphon.progress"]
    seconds = [event["seconds"] for event in told]
    assert seconds == sorted(seconds)
    assert seconds[0] == 0
    assert seconds[-1] == pytest.approx(65, abs=0.5)
    assert {event["expected"] for event in told} == {65.0}
    assert told[-1]["queued"] == 0


async def test_peaks_cover_the_recording(client: httpx2.AsyncClient) -> None:
    told = [e for e in await events(client, **{"include[]": "peaks"}) if e["type"] == "antiphon.peaks"]
    data = b"".join(base64.b64decode(event["data"]) for event in told)
    assert len(data) == 650
    assert min(data) > 20
    starts = [event["start"] for event in told]
    assert starts == sorted(starts)
    assert {event["rate"] for event in told} == {10}


async def test_peaks_cover_a_recording_without_speech(client: httpx2.AsyncClient) -> None:
    data = {"model": "whisper-1", "stream": "true", "include[]": ["peaks", "progress"]}
    answer = await client.post("/audio/transcriptions", data=data, files={"file": wav(0 * tone(20))})
    told = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    peaks = b"".join(base64.b64decode(event["data"]) for event in told if event["type"] == "antiphon.peaks")
    assert peaks == bytes(200)
    assert told[-1]["type"] == "transcript.text.done"


async def test_render_over_http(client: httpx2.AsyncClient) -> None:
    segments = [{"start": 0, "end": 1, "text": "Hello.", "speaker": "Anna"}]
    for form, kind in (("srt", "text/plain"), ("vtt", "text/vtt"), ("json", "application/json")):
        answer = await client.post(
            "/audio/transcriptions/render", json={"format": form, "segments": segments}
        )
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
    large = {"format": "srt", "segments": segments, "title": "x" * (9 * 1024 * 1024)}
    refused = await client.post("/audio/transcriptions/render", json=large)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith("The body has more than")


async def test_strict_refuses_them(settings: Settings, engine: EchoTranscriber) -> None:
    strict = settings.model_copy(update={"compat": settings.compat.model_copy(update={"strict": True})})
    migrated(strict.database_url)
    container = Container(strict, lambda _: engines_of(engine))
    assert strict.request_limits.upload_bytes == OPENAI_UPLOAD
    await container.open()
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost/v1") as client:
        for value in ("progress", "peaks"):
            data = {"model": "gpt-4o-transcribe", "stream": "true", "include[]": value}
            answer = await client.post("/audio/transcriptions", data=data, files={"file": wav(tone(1))})
            assert answer.status_code == 400
            assert answer.json()["error"]["param"] == "include"
        assert (await client.get("/about")).json()["limits"]["upload_bytes"] == OPENAI_UPLOAD
    await container.close()
