"""A thousand clients leave or stall at random points of every route; after that, everything is as before.

Real sockets and a real server in this process, engines that need no weights, a fixed seed.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest

from app.api.listening import listen
from app.api.server import Server
from app.audio.cut_windows import EverythingIsSpeech
from app.container import Container
from app.main import create_app
from app.services import readiness
from app.settings import Settings
from engines.types import Window
from tests.support.chaos import Call, get, in_line, live, posted_form, posted_json, visit
from tests.support.custom_voice import add_tone_voice
from tests.support.fake_diarizer import ToneDiarization, ToneDiarizer
from tests.support.fake_engines import EchoTranscriber, ToneEngine, ToneSynthesizer, engines_of
from tests.support.migrated_database import migrated
from tests.support.routes import routes
from tests.support.sound import tone, wav
from tests.support.voice_writer import audit
from tests.support.waiting import until

SEED = 20_261_124
CLIENTS, AT_ONCE, REHEARSAL = 1_000, 50, 150
POOLS = ("AnyIO worker thread", "asyncio_", "Thread-")
"""Beginnings of the names of threads of AnyIO, of asyncio's executor and of aiosqlite's connections."""
MORE_THREADS, MORE_DESCRIPTORS = 60, 10
"""After the test there may be at most so many more threads of those pools, and more file descriptors."""
MORE_MEMORY = 100_000_000
"""Bytes by which resident memory may grow: allocators keep what they once had."""


class Forgetful(list[list[Window]]):
    """A list that drops everything, so that no sound stays in memory."""

    def append(self, item: list[Window]) -> None:
        """Drops the item."""


@dataclass(frozen=True, slots=True)
class Held:
    """The resources that the process holds."""

    threads: int
    """Threads outside of `POOLS`. Libraries limit those pools themselves, and start as many threads in them
    as they like.
    """
    descriptors: int
    files: int
    """Number of files in the folder for temporary files."""
    tasks: int
    requests: int
    queued_seconds: float
    held_seconds: float
    waiting: int
    running: int
    uploads: int
    documents: int
    sessions: int

    @classmethod
    def now(cls, container: Container, folder: Path) -> Held:
        load = container.runner.snapshot()
        return cls(
            sum(not thread.name.startswith(POOLS) for thread in threading.enumerate()),
            len(list(Path("/proc/self/fd").iterdir())),
            len(list(folder.iterdir())),
            len(asyncio.all_tasks()),
            load.requests,
            load.queued_seconds,
            load.held_seconds,
            load.waiting,
            load.running,
            container.uploads.count,
            container.files.count,
            container.services.live_sessions.count,
        )


def resident() -> int:
    """Resident memory of the process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def calls() -> list[Call]:
    """Calls of every route, with short and long clips."""
    talk = wav(np.concatenate([tone(3, 300), tone(2, 1200), tone(4, 300)]))
    long = wav(tone(90))
    stt, speech = "/v1/audio/transcriptions", "/v1/audio/speech"
    text = "Good morning to you all. " * 20
    forms = ("json", "verbose_json", "srt", "text", "diarized_json")
    made = [posted_form(stt, form, ("file", talk), model="whisper-1", response_format=form) for form in forms]
    for form in ("json", "diarized_json"):
        named = {"model": "whisper-1", "response_format": form, "stream": "true"}
        made.append(posted_form(stt, f"{form}, streamed", ("file", long), **named))
    made.append(posted_form(stt, "long", ("file", long), model="whisper-1"))
    made.append(posted_form(stt, "no audio", ("file", b"nothing"), model="whisper-1"))
    made.append(posted_form("/v1/audio/translations", "translation", ("file", talk), model="whisper-1"))
    for form in ("pcm", "mp3", "opus", "wav"):
        fields = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": form}
        made.append(posted_json(speech, form, **fields))
    events = {"model": "tts-1", "voice": "echo", "input": text, "stream_format": "sse"}
    made.append(posted_json(speech, "speech, streamed", **events))
    custom = {"model": "tts-1", "voice": {"id": "voice_tone"}, "input": text, "response_format": "pcm"}
    made += [posted_json(speech, "custom voice", **custom), get("/v1/audio/voices/voice_tone")]
    made.append(posted_json(speech, "no voice", model="tts-1", voice="nobody", input=text))
    consent = {"name": "Ann", "language": "en"}
    made.append(posted_form("/v1/audio/voice_consents", "consent", ("recording", talk), **consent))
    voice = {"name": "Ann", "consent": "cons_" + "0" * 32}
    made.append(posted_form("/v1/audio/voices", "voice", ("audio_sample", talk), **voice))
    paths = ("/v1/models", "/v1/audio/voices", "/v1/audio/voice_consents", "/health/live", "/health/ready")
    made += [get(path) for path in (*paths, "/metrics", "/openapi.json", "/nothing")]
    made += [get("/v1/audio/voice_consents/cons_1", method) for method in ("GET", "DELETE")]
    return made + later_calls(talk)


def later_calls(talk: bytes) -> list[Call]:
    """Calls of the routes that were added later: live sessions, the page, extensions; and pipelined
    requests.
    """
    paths = ("/", "/studio/x/a.js", "/health", "/v1/about", "/v1/audio/models", "/v1/models/whisper-1")
    made = [get(path) for path in paths]
    made.append(get("/v1/audio/voices/voice_nobody", "DELETE"))
    made.append(posted_json("/v1/audio/voice_consents/cons_1", "rename", name="Ann"))
    made += [
        posted_json(f"/v1/realtime/{kind}", kind) for kind in ("client_secrets", "transcription_sessions")
    ]
    segments = [{"start": n, "end": n + 1, "text": "a few words"} for n in range(2_000)]
    made += [
        posted_json("/v1/audio/transcriptions/render", form, format=form, segments=segments)
        for form in ("srt", "docx")
    ]
    sound = base64.b64encode(bytes(48_000)).decode()
    said = {"type": "input_audio_buffer.append", "audio": sound}
    silent = {"type": "session.update", "session": {"type": "transcription", "audio": {"input": {
        "turn_detection": None}}}}  # fmt: skip
    made.append(live("live", b".completed", silent, *[said] * 6, {"type": "input_audio_buffer.commit"}))
    made.append(live("live, odd", b"'nothing'", {"type": "session.update"}, said, {"type": "nothing"}))
    stt = posted_form("/v1/audio/transcriptions", "transcription", ("file", talk), model="whisper-1")
    made.append(in_line(stt, get("/v1/models"), stt))
    return made


async def test_every_route_is_called(container: Container) -> None:
    known = routes(create_app(container))
    lines = [(call.head or call.data).split(b"\r\n")[0].decode().split("?")[0].split() for call in calls()]
    for method, template in known - {("HEAD", path) for _, path in known}:
        pattern = re.sub(r"\{\w+:path\}", ".+", template)
        pattern = re.sub(r"\{\w+\}", "[^/]+", pattern)
        assert any(word[0] == method and re.fullmatch(pattern, word[1]) for word in lines), (method, template)


@asynccontextmanager
async def serving(container: Container) -> AsyncIterator[int]:
    """Runs a real server in this event loop, and yields its port."""
    server = Server(create_app(container), container.settings)
    sockets = listen("127.0.0.1", 0)
    running = asyncio.create_task(server.serve(sockets))
    try:
        await until(lambda: server.started or running.done())
        yield int(sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await running


async def crowd(port: int, count: int, chance: Random) -> Counter[str]:
    """Runs `count` clients, `AT_ONCE` at a time. Returns how many of them had which outcome."""
    fates: Counter[str] = Counter()
    choices, places = calls(), asyncio.Semaphore(AT_ONCE)

    async def one(call: Call, seed: int) -> None:
        async with places:
            await visit(port, call, Random(seed), fates)

    plans = [(choices[n % len(choices)], chance.getrandbits(32)) for n in range(count)]
    await asyncio.gather(*(one(call, seed) for call, seed in plans))
    return fates


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_thousand_clients_leave_nothing_behind(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    # else a slow machine would count as an unready server
    monkeypatch.setattr(readiness, "DATABASE_SECONDS", 100)
    migrated(settings.database_url)
    model = settings.diarization.model_copy(update={"model": str(settings.weights_folder)})
    # Consents and voices load the model that tells voices apart before they read a recording.
    aliases = {**settings.models.aliases, "pyannote-starter": str(settings.weights_folder)}
    models = settings.models.model_copy(update={"aliases": aliases})
    engine = EchoTranscriber(seconds=0.005)
    engine.batches = Forgetful()
    container = Container(
        settings.model_copy(update={"diarization": model, "models": models}),
        lambda _: engines_of(engine),
        lambda _: ToneEngine(ToneSynthesizer()),
        lambda _: ToneDiarization(ToneDiarizer()),
    )
    container.runner.detect = EverythingIsSpeech  # type: ignore[method-assign]  # tones are no speech
    chance = Random(SEED)
    await add_tone_voice(container)
    async with serving(container) as port:
        await crowd(port, REHEARSAL, chance)  # loads and opens everything that is loaded or opened only once
        await settled(container, folder)
        before, memory = Held.now(container, folder), resident()
        fates = await crowd(port, CLIENTS, chance)
        await settled(container, folder)
        with suppress(AssertionError):  # if this fails, the next assertion tells what is left
            await until(lambda: same(Held.now(container, folder), before), seconds=60)
        now = Held.now(container, folder)
        assert same(now, before), (
            f"{now} instead of {before}; {sorted(t.name for t in threading.enumerate())}"
        )
        gc.collect()
        with suppress(AssertionError):  # memory is given back once the server has been idle for some seconds
            await until(lambda: resident() - memory < MORE_MEMORY, seconds=40)
        more = resident() - memory
    print(f"\n{dict(fates)}; {more / 1e6:.0f} MB more; {before}")
    assert sum(fates[fate] for fate in fates if "answered" not in fate) == CLIENTS
    assert min(fates["live, answered"], fates["live, odd, answered"]) > 1
    assert fates["live, not answered"] == fates["live, odd, not answered"] == 0
    assert min(fates[fate] for fate in ("whole, 2xx", "whole, 4xx", "leaves while reading")) > 30
    assert fates["whole, 5xx"] == fates["closed by the server"] == 0
    assert more < MORE_MEMORY
    uses = [entry for entry in audit(settings.database_url, "default") if entry.action == "voice.use"]
    assert len(uses) > 10, "the custom voice spoke"


async def settled(container: Container, folder: Path) -> None:
    def done() -> bool:
        return container.runner.snapshot().idle and not container.uploads.count and not list(folder.iterdir())

    await until(done, seconds=120, what="the end of all work")


def same(now: Held, before: Held) -> bool:
    """Whether the process holds as much as before. It may have fewer threads and descriptors, because idle
    ones are closed.
    """
    return (
        now.threads <= before.threads
        and threading.active_count() <= now.threads + MORE_THREADS
        and now.descriptors <= before.descriptors + MORE_DESCRIPTORS
        and (now.files, now.tasks) == (before.files, before.tasks)
        and (now.requests, now.waiting, now.running) == (0, 0, 0)
        and (now.uploads, now.documents, now.sessions) == (0, 0, 0)
        and now.queued_seconds == now.held_seconds == 0
    )
