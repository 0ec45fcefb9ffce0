"""Transcription through the whole app, with a fake engine whose text tells what it was given."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx2
import numpy as np
import pytest

from app.container import Container
from app.domain import TranscriptionJob
from app.main import create_app
from app.settings import Settings
from tests.support.fake_engines import EchoTranscriber, engines_of
from tests.support.migrated_database import migrated
from tests.support.sound import noise, pcm_wav, silence, tone, wav
from tests.support.waiting import until

URL = "/audio/transcriptions"
CLIP = ("a.wav", wav(tone(3)), "audio/wav")


async def post(
    client: httpx2.AsyncClient,
    file: Any = CLIP,
    path: str = URL,
    lists: dict[str, list[str]] | None = None,
    **fields: str,
) -> httpx2.Response:
    return await client.post(
        path, data={"model": "whisper-1", **fields, **(lists or {})}, files={"file": file}
    )


async def test_json(client: httpx2.AsyncClient) -> None:
    answer = await post(client)
    assert answer.status_code == 200
    assert answer.json() == {"text": "word0 word1 word2", "usage": {"type": "duration", "seconds": 3}}


@pytest.mark.parametrize(
    ("form", "media", "begins"),
    [
        ("json", "application/json", '{"text"'),
        ("text", "text/plain; charset=utf-8", "word0 word1 word2\n"),
        ("srt", "text/plain; charset=utf-8", "1\n00:00:00,000 --> "),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> "),
        ("verbose_json", "application/json", '{"task": "transcribe", "language": "english"'),
    ],
)
async def test_formats_and_their_types(
    client: httpx2.AsyncClient, form: str, media: str, begins: str
) -> None:
    answer = await client.post(
        URL,
        data={"model": "whisper-1", "response_format": form},
        files={"file": CLIP},
        headers={"accept": "application/octet-stream"},
    )
    assert answer.headers["content-type"] == media
    assert answer.text.startswith(begins)


async def test_translations_are_english(client: httpx2.AsyncClient, engine: EchoTranscriber) -> None:
    answer = await post(client, path="/audio/translations", response_format="verbose_json", language="de")
    assert (answer.json()["task"], answer.json()["language"]) == ("translate", "english")
    assert engine.batches[-1][0].task == "translate"


async def test_prompt_language_and_hotwords_reach_the_engine(
    client: httpx2.AsyncClient, engine: EchoTranscriber
) -> None:
    await post(client, prompt="Once.", language="de-AT", lists={"keywords[]": ["Kyrie", "Antiphon"]})
    window = engine.batches[-1][0]
    assert (window.prompt, window.language, window.hotwords) == ("Once.", "de", ("Kyrie", "Antiphon"))


async def test_the_first_window_finds_the_language_for_the_others(
    client: httpx2.AsyncClient, engine: EchoTranscriber
) -> None:
    await post(client, file=("a.wav", wav(tone(100)), ""))
    windows = [window for batch in engine.batches for window in batch]
    assert windows[0].language is None
    assert [window.language for window in windows[1:]] == ["en"] * (len(windows) - 1)
    assert len(windows) >= 4


async def test_nothing_is_lost_or_doubled_at_the_borders_of_windows(
    client: httpx2.AsyncClient, engine: EchoTranscriber
) -> None:
    sound = noise(200)
    await post(client, file=("a.wav", wav(sound), ""))
    windows = sorted((w for batch in engine.batches for w in batch), key=lambda window: window.start)
    assert len(windows) > 6
    heard = np.concatenate([window.pcm.samples for window in windows])
    assert np.allclose(heard, sound, atol=1e-3)


async def test_the_first_words_leave_before_the_end_is_decoded(container: Container) -> None:
    file = io.BytesIO(wav(tone(600)))
    opened = await container.transcription.open(TranscriptionJob(model="whisper-1"), file)
    async with aclosing(opened), aclosing(opened.events()) as windows:
        async for _ in windows:
            assert opened.seconds < 120
            assert opened.expected == 600
            break
    assert container.runner.snapshot().requests == 0


async def test_words_stand_where_they_were_said(client: httpx2.AsyncClient) -> None:
    sound = np.concatenate([silence(20), tone(5), silence(30), tone(5)])
    lists = {"timestamp_granularities[]": ["word"]}
    body = (
        await post(client, file=("a.wav", wav(sound), ""), lists=lists, response_format="verbose_json")
    ).json()
    assert [round(word["start"]) for word in body["words"]] == [20, 21, 22, 23, 24, 55, 56, 57, 58, 59]
    assert body["duration"] == 60


async def test_silence_is_an_empty_answer_in_every_format(
    client: httpx2.AsyncClient, engine: EchoTranscriber
) -> None:
    quiet = ("a.wav", wav(silence(3)), "")
    bodies = {
        form: (await post(client, file=quiet, response_format=form))
        for form in ("json", "text", "srt", "vtt", "verbose_json")
    }
    assert all(body.status_code == 200 for body in bodies.values())
    assert bodies["json"].json()["text"] == ""
    assert bodies["text"].text == "\n"
    assert bodies["srt"].text == ""
    assert bodies["vtt"].text == "WEBVTT\n"
    assert bodies["verbose_json"].json()["segments"] == []
    assert engine.batches == []


async def test_streams(client: httpx2.AsyncClient) -> None:
    answer = await post(client, file=("a.wav", wav(tone(65)), ""), stream="true", include="logprobs")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in answer.headers
    frames = answer.text.split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    events = [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]
    assert [event["type"] for event in events] == ["transcript.text.delta"] * 3 + ["transcript.text.done"]
    assert "".join(event["delta"] for event in events[:-1]) == events[-1]["text"]
    assert events[-1]["usage"]["input_token_details"]["audio_tokens"] == 650


async def test_a_stream_that_fails_ends_with_an_error_frame(
    client: httpx2.AsyncClient, engine: EchoTranscriber
) -> None:
    from engines.errors import EngineError

    engine.failure = EngineError("no")
    answer = await post(client, stream="true")
    assert answer.status_code == 200
    assert set(json.loads(answer.text.strip().removeprefix("data: "))["error"]) == {
        "message",
        "type",
        "param",
        "code",
    }


async def test_an_idle_stream_is_kept_alive(
    client: httpx2.AsyncClient, engine: EchoTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.event_stream.KEEP_ALIVE_SECONDS", 0.02)
    engine.seconds = 0.3
    answer = await post(client, stream="true")
    assert answer.text.startswith(": keep-alive\n\n")
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_garbage_is_400_before_any_event(client: httpx2.AsyncClient) -> None:
    answer = await post(client, file=("a.wav", b"no audio" * 100, ""), stream="true")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "file"


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 65_536):
        yield data[at : at + 65_536]


def multipart(data: bytes) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    file = b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../a"\r\n\r\n' + data
    return head + file + b"\r\n--x--\r\n"


@pytest.mark.parametrize("extra", [0, 1, 200_000, 3_000_000])
async def test_bytes_are_counted_without_content_length(container: Container, extra: int) -> None:
    limit = 1_000_000
    tight = container.settings.limits.model_copy(update={"upload_bytes": limit})
    container.settings = container.settings.model_copy(update={"limits": tight})
    transport = httpx2.ASGITransport(create_app(container))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
        kind = {"content-type": "multipart/form-data; boundary=x"}
        body = wav(silence(40))[:limit] + bytes(extra)
        answer = await client.post(URL, content=chunks(multipart(body)), headers=kind)
    assert answer.status_code == (413 if extra else 200)
    if extra:
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("server_error", None)
        assert f"({limit})" in error["message"]


async def test_the_next_request_is_refused_at_once(settings: Settings, engine: EchoTranscriber) -> None:
    limits = settings.limits.model_copy(update={"requests": 2})
    migrated(settings.database_url)
    container = Container(settings.model_copy(update={"limits": limits}), lambda _: engines_of(engine))
    engine.gate.clear()
    transport = httpx2.ASGITransport(create_app(container))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
        busy = [asyncio.create_task(post(client)) for _ in range(2)]
        await until(lambda: engine.batches and container.runner.snapshot().requests == 2)
        refused = await post(client)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        engine.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*busy)] == [200, 200]
        assert (await post(client)).status_code == 200
    await container.close()


@pytest.mark.parametrize(("channels", "status"), [(9, 200), (33, 200), (64, 200), (65, 400), (256, 400)])
async def test_recordings_of_many_channels(client: httpx2.AsyncClient, channels: int, status: int) -> None:
    sound = np.tile(tone(2)[:, None], channels)
    answer = await post(client, file=("a.wav", pcm_wav(sound), ""))
    assert answer.status_code == status, answer.text
    if status == 400:
        assert answer.json()["error"]["param"] == "file"
        assert f"{channels} channels" in answer.json()["error"]["message"]


async def test_a_request_that_takes_too_long_is_given_up(settings: Settings, engine: EchoTranscriber) -> None:
    limits = settings.limits.model_copy(update={"request_seconds": 0.2})
    migrated(settings.database_url)
    container = Container(settings.model_copy(update={"limits": limits}), lambda _: engines_of(engine))
    engine.seconds = 0.25
    transport = httpx2.ASGITransport(create_app(container))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
        answer = await post(client, file=("a.wav", wav(tone(95)), ""))
    assert answer.status_code == 408
    assert len(engine.batches) < 4
    await container.close()


class Caller:
    """An ASGI client that can leave."""

    def __init__(self, body: bytes) -> None:
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/audio/transcriptions",
            "raw_path": b"/v1/audio/transcriptions",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"content-type", b"multipart/form-data; boundary=x"), (b"host", b"test")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.messages.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self.sent: list[dict[str, Any]] = []

    def leave(self) -> None:
        self.messages.put_nowait({"type": "http.disconnect"})

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_frees_everything(
    container: Container,
    engine: EchoTranscriber,
    stream: bool,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    app = create_app(container)
    wanted = b'--x\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n' if stream else b""
    caller = Caller(wanted + multipart(wav(tone(600))))
    engine.gate.clear()
    threads = threading.active_count()
    request = asyncio.create_task(app(caller.scope, caller.messages.get, caller.send))  # type: ignore[arg-type]  # plain ASGI
    await until(lambda: engine.batches)
    assert container.runner.snapshot().requests == 1
    caller.leave()
    await until(lambda: container.runner.snapshot().requests == 0, what="its place is free at once")
    engine.gate.set()
    await asyncio.wait_for(request, 10)
    left = container.runner.snapshot()
    assert (left.requests, left.queued_seconds, left.held_seconds) == (0, 0, 0)
    await until(lambda: container.runner.snapshot().idle)
    assert len(engine.batches) <= 2
    assert threading.active_count() <= threads + 1 + container.settings.runtime.decode_threads
    assert not any(message.get("body") for message in caller.sent)
    assert not list(tmp_path.glob("tmp*"))


async def test_a_client_that_leaves_in_mid_stream_frees_everything(
    container: Container, engine: EchoTranscriber, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    app = create_app(container)
    wanted = b'--x\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n'
    caller = Caller(wanted + multipart(wav(tone(600))))
    engine.seconds = 0.05
    threads = threading.active_count()
    request = asyncio.create_task(app(caller.scope, caller.messages.get, caller.send))  # type: ignore[arg-type]  # plain ASGI
    await until(lambda: any(message.get("body") for message in caller.sent))
    caller.leave()
    await asyncio.wait_for(request, 10)
    left = container.runner.snapshot()
    assert (left.requests, left.queued_seconds, left.held_seconds) == (0, 0, 0)
    await until(lambda: container.runner.snapshot().idle)
    assert len(engine.batches) < 10
    assert threading.active_count() <= threads + 1 + container.settings.runtime.decode_threads
    assert not list(tmp_path.glob("tmp*"))
    assert sum(len(message.get("body", b"")) for message in caller.sent) < 10_000
