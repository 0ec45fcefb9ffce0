"""More requests than the server can serve: they are refused at once, the others are served fairly, and
afterwards all places are free again.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.container import Container
from app.container.builders import EDITED_FILES, EDITED_FILES_OF_ONE_KEY
from app.main import create_app
from app.runtime.runner import RunnerSnapshot
from app.settings import Settings
from tests.support.fake_engines import EchoTranscriber, engines_of
from tests.support.migrated_database import migrated
from tests.support.sound import encode, tone, wav
from tests.support.waiting import stays, until

pytestmark = pytest.mark.slow

URL = "/audio/transcriptions"
LONG = wav(tone(90))


async def post(client: httpx2.AsyncClient, data: bytes, **fields: str) -> httpx2.Response:
    return await client.post(URL, data={"model": "whisper-1", **fields}, files={"file": data})


@asynccontextmanager
async def app_with(
    settings: Settings, engine: EchoTranscriber, **groups: dict[str, Any]
) -> AsyncIterator[tuple[Container, httpx2.AsyncClient]]:
    changed = {name: getattr(settings, name).model_copy(update=update) for name, update in groups.items()}
    migrated(settings.database_url)
    container = Container(settings.model_copy(update=changed), lambda _: engines_of(engine))
    transport = httpx2.ASGITransport(create_app(container))
    try:
        async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
            yield container, client
    finally:
        engine.gate.set()
        await container.close()


async def at_work(engine: EchoTranscriber) -> None:
    await until(lambda: engine.batches)


def load(container: Container) -> RunnerSnapshot:
    return container.runner.snapshot()


async def test_audio_beyond_the_queue_is_refused_and_short_audio_is_not(
    settings: Settings, engine: EchoTranscriber
) -> None:
    async with app_with(settings, engine, limits={"queued_seconds": 120.0}) as (container, client):
        engine.gate.clear()
        first = asyncio.create_task(post(client, LONG))
        await at_work(engine)
        refused = await post(client, LONG)
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        short = asyncio.create_task(post(client, wav(tone(5))))
        await stays(lambda: not short.done())
        engine.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(first, short)] == [200, 200]
        assert (await post(client, LONG)).status_code == 200
        assert (load(container).requests, load(container).queued_seconds, load(container).held_seconds) == (
            0,
            0,
            0,
        )


async def test_memory_for_decoded_audio_is_bounded(settings: Settings, engine: EchoTranscriber) -> None:
    async with app_with(settings, engine, limits={"decoded_seconds": 100.0}) as (container, client):
        engine.gate.clear()
        first = asyncio.create_task(post(client, LONG))
        await at_work(engine)
        assert load(container).held_seconds == 90
        assert (await post(client, LONG)).status_code == 429
        engine.gate.set()
        assert (await first).status_code == 200
        assert load(container).held_seconds == 0


async def test_audio_of_unknown_length_is_worked_on(settings: Settings, engine: EchoTranscriber) -> None:
    adts = encode(tone(40), "adts", "aac", 16_000)
    async with app_with(settings, engine, limits={"queued_seconds": 1.0}) as (container, client):
        assert (await post(client, adts)).status_code == 200
        assert load(container).queued_seconds == 0


async def test_a_stream_that_is_refused_is_an_error_and_no_stream(
    settings: Settings, engine: EchoTranscriber
) -> None:
    async with app_with(settings, engine, limits={"queued_seconds": 100.0}) as (_, client):
        engine.gate.clear()
        first = asyncio.create_task(post(client, LONG))
        await at_work(engine)
        refused = await post(client, LONG, stream="true")
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/json"
        engine.gate.set()
        await first


async def test_a_short_clip_overtakes_long_files(settings: Settings, engine: EchoTranscriber) -> None:
    runtime = {"batch_rows": 1, "windows_ahead": 1}
    async with app_with(settings, engine, runtime=runtime) as (container, client):

        async def waiting(count: int) -> None:
            await until(lambda: container.runner.snapshot().waiting >= count, 20)

        engine.gate.clear()
        files = [asyncio.create_task(post(client, LONG, language="en")) for _ in range(10)]
        await at_work(engine)
        await waiting(9)
        clip = asyncio.create_task(post(client, wav(tone(3)), language="en"))
        await waiting(10)
        engine.gate.set()
        assert (await clip).status_code == 200
        order = [batch[0].pcm.seconds for batch in engine.batches]
        assert order[1] == 3, "next, behind the running batch"
        assert {answer.status_code for answer in await asyncio.gather(*files)} == {200}


async def test_models_give_way_to_each_other(
    settings: Settings, engine: EchoTranscriber, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_bytes(os.urandom(1000))
    aliases = {name: str(tmp_path / name) for name in ("one", "two")}
    models = {"aliases": aliases, "memory_bytes": 1500}
    async with app_with(settings, engine, models=models) as (_, client):

        async def states() -> list[str]:
            return [(await client.get(f"/models/{name}")).json()["state"] for name in ("one", "two")]

        async def ask(model: str) -> None:
            sound = {"file": wav(tone(1))}
            assert (await client.post(URL, data={"model": model}, files=sound)).status_code == 200

        assert await states() == ["idle", "idle"]
        await ask("one")
        assert await states() == ["loaded", "idle"]
        await ask("two")
        assert await states() == ["idle", "loaded"]
        await asyncio.gather(*(ask(name) for name in ("one", "two") * 8))
        assert sorted(await states()) == ["idle", "loaded"]


async def test_files_of_segments_are_made_one_after_the_other_and_only_so_many_wait(
    settings: Settings, engine: EchoTranscriber
) -> None:
    """Only some files of one key may wait, so that a busy client leaves places to the others."""
    document = {"format": "srt", "segments": [{"start": 0, "end": 1, "text": "word"}]}
    free = threading.Event()

    async with app_with(settings, engine) as (container, client):
        secrets = [(await container.keys.create(f"key {number}"))[1] for number in range(5)]

        def ask(secret: str) -> Coroutine[Any, Any, httpx2.Response]:
            return client.post(f"{URL}/render", json=document, headers={"Authorization": f"Bearer {secret}"})

        busy = asyncio.create_task(container.file_threads.run(free.wait))
        try:
            tasks = [asyncio.create_task(ask(secrets[0])) for _ in range(EDITED_FILES_OF_ONE_KEY)]
            await until(lambda: container.files.count == EDITED_FILES_OF_ONE_KEY)
            refused = [await ask(secrets[0])]
            for secret in secrets[1:4]:
                tasks += [asyncio.create_task(ask(secret)) for _ in range(EDITED_FILES_OF_ONE_KEY)]
            await until(lambda: container.files.count == EDITED_FILES)
            refused.append(await ask(secrets[4]))
        finally:
            free.set()
        await busy
        assert [answer.status_code for answer in refused] == [429, 429]
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert {answer.status_code for answer in await asyncio.gather(*tasks)} == {200}
        assert container.files.count == 0
        assert (await ask(secrets[0])).status_code == 200
