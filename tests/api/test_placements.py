"""If models run in processes of their own, a crash is an error for one client and for nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator

import httpx2
import pytest

from app.container import Container
from app.domain.live import ItemCompleted, ItemText, LiveEvent, LiveSettings, SoundFormat
from app.main import create_app
from app.runtime.process_host import ProcessHost
from app.settings import Settings
from engines.errors import EngineDied
from tests.conftest import JFK
from tests.support import scripted_engines
from tests.support.migrated_database import migrated
from tests.support.sound import decode, tone, wav
from tests.support.waiting import ticks, until

pytestmark = pytest.mark.slow

URL = "/v1/audio/transcriptions"
SHORT = wav(tone(1))


@pytest.fixture
async def placed(settings: Settings) -> AsyncIterator[Container]:
    migrated(settings.database_url)
    runtime = settings.runtime.model_copy(update={"placement": "processes"})
    models = settings.models.model_copy(update={"preload": ("whisper-1",)})
    made = Container(
        settings.model_copy(update={"runtime": runtime, "models": models}),
        scripted_engines.FINDER.transcribers,
    )
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def caller(placed: Container) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(create_app(placed), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def post(client: httpx2.AsyncClient, data: bytes = SHORT, **fields: str) -> httpx2.Response:
    return await client.post(URL, data={"model": "whisper-1", **fields}, files={"file": data}, timeout=60)


def kill(container: Container) -> bool:
    """Kills the process of a model. Returns whether there was one."""
    for lane in container.runner._lanes.values():
        host = lane.life.host
        child = host._child if isinstance(host, ProcessHost) else None
        if child and child.alive:
            os.kill(child.pid, signal.SIGKILL)
            return True
    return False


@pytest.fixture
async def isolated(settings: Settings) -> AsyncIterator[Container]:
    migrated(settings.database_url)
    runtime = settings.runtime.model_copy(update={"isolate_readers": True})
    made = Container(settings.model_copy(update={"runtime": runtime}), scripted_engines.FINDER.transcribers)
    await made.open()
    yield made
    await made.close()


def starts_of(answer: httpx2.Response) -> list[float]:
    assert answer.status_code == 200
    return [segment["start"] for segment in answer.json()["segments"]]


async def test_readers_that_are_killed_cost_no_upload(isolated: Container) -> None:
    readers = isolated.threads.readers
    assert readers
    transport = httpx2.ASGITransport(create_app(isolated), raise_app_exceptions=False)
    audio = wav(tone(60))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        fields = {"prompt": "sleep:0.1", "response_format": "verbose_json"}
        whole = starts_of(await post(client, audio, **fields))
        uploads = [asyncio.create_task(post(client, audio, **fields)) for _ in range(12)]
        killed = 0
        async for _ in ticks(1.0):
            if all(upload.done() for upload in uploads):
                break
            for reader in [reader for reader in readers._readers if reader.alive][:1]:
                with contextlib.suppress(ProcessLookupError, EngineDied):  # the last kill was not yet noticed
                    os.kill((await asyncio.to_thread(reader.started.result, 20)).pid, signal.SIGKILL)
                    killed += 1
        assert len(whole) > 1
        assert [starts_of(upload.result()) for upload in uploads] == [whole] * 12
        assert killed
        bad = await post(client, b"no sound")
        assert (bad.status_code, bad.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_a_crash_is_an_error_of_its_request_alone(caller: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(post(caller), post(caller, prompt="abort"), post(caller))
    assert [answer.status_code for answer in answers] == [200, 500, 200]
    bad = answers[1]
    assert bad.json()["error"]["code"] == "engine_crashed"
    assert bad.headers["x-should-retry"] == "false"
    assert (await post(caller)).status_code == 200


async def test_readiness_says_that_a_process_ended_until_the_next_one_is_up(
    placed: Container, caller: httpx2.AsyncClient
) -> None:
    assert (await post(caller)).status_code == 200
    assert await placed.services.readiness.look() == {}
    assert kill(placed)
    await until(lambda: any(lane.life.problem for lane in placed.runner._lanes.values()), 1.0)
    assert "SIGKILL" in (await placed.services.readiness.look())["whisper-1"]
    await until(lambda: not any(lane.life.problem for lane in placed.runner._lanes.values()))
    assert await placed.services.readiness.look() == {}


async def test_readiness_names_a_crash_loop_of_a_model_that_is_not_loaded_at_the_start(
    settings: Settings,
) -> None:
    migrated(settings.database_url)
    runtime = settings.runtime.model_copy(update={"placement": "processes"})
    made = Container(settings.model_copy(update={"runtime": runtime}), scripted_engines.FINDER.transcribers)
    transport = httpx2.ASGITransport(create_app(made), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        statuses = [(await post(client, prompt="abort")).status_code for _ in range(3)]
        assert statuses == [500, 500, 503]

        async def names_it() -> bool:
            answer = await client.get("/health/ready")
            assert answer.status_code == 200, "other models go on"
            told = answer.json().get("crashed_models", {})
            return "again and again" in str(told) and "Fatal Python error: Aborted" in str(told)

        await until(names_it)
        await until(lambda: not made.runner.crashes(), 30)
        assert (await post(client)).status_code == 200
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
    await made.close()


@pytest.mark.slow
async def test_kills_lose_and_double_nothing_in_a_stream(
    placed: Container, caller: httpx2.AsyncClient
) -> None:
    audio = wav(tone(300))
    whole = (await post(caller, audio, response_format="verbose_json")).json()["segments"]
    killed = 0

    async def killer() -> None:
        nonlocal killed
        async for _ in ticks(0.7):
            killed += kill(placed)
            assert (await caller.get("/health/live")).status_code == 200

    killing = asyncio.create_task(killer())
    answer = await post(caller, audio, prompt="sleep:0.2", stream="true")
    killing.cancel()
    assert answer.status_code == 200
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    deltas = [event["delta"] for event in events if event["type"] == "transcript.text.delta"]
    done = [event["text"] for event in events if event["type"] == "transcript.text.done"]
    assert done == ["".join(deltas)]
    starts = [float(delta.split()[0]) for delta in deltas if delta.split()]
    assert starts == pytest.approx([segment["start"] for segment in whole], abs=0.01)
    assert killed


async def test_live_sessions_are_heard_by_models_in_processes(placed: Container) -> None:
    told: list[LiveEvent] = []
    settings = LiveSettings(model="whisper-1", format=SoundFormat("pcm", 16_000))
    session = await placed.services.live.open(settings, told.append)
    speech = (decode(JFK.read_bytes())[:48_000] * 32_767).astype("<i2").tobytes()
    await session.append(speech + bytes(32_000))
    await until(lambda: any(isinstance(event, ItemCompleted) for event in told), 30, "the end of the turn")
    await session.close()
    (done,) = [event for event in told if isinstance(event, ItemCompleted)]
    assert done.text
    assert done.text == "".join(w.text for event in told if isinstance(event, ItemText) for w in event.words)
