"""PostgreSQL stops under load and starts again: meanwhile requests are refused with clear errors, and then
everything works as before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx2
import pytest

from app.container import Container
from app.main import create_app
from app.services import readiness
from app.settings import Settings
from tests.support.custom_voice import add_tone_voice
from tests.support.fake_engines import EchoTranscriber, ToneEngine, ToneSynthesizer, engines_of
from tests.support.migrated_database import migrated
from tests.support.postgres import StoppablePostgres, stoppable_postgres
from tests.support.sound import tone, wav
from tests.support.waiting import until

pytestmark = pytest.mark.slow

CLIP = wav(tone(1))
ENOUGH = 5
"""Least number of answers to each kind of request in each phase of the test."""
Ask = Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]]
SPEECH = {"model": "tts-1", "voice": {"id": "voice_tone"}, "input": "Good morning.", "response_format": "pcm"}
ASKS: dict[str, Ask] = {
    "list": lambda client: client.get("/audio/voice_consents"),
    "rename": lambda client: client.post("/audio/voice_consents/cons_tone", json={"name": "Bob"}),
    "speech": lambda client: client.post("/audio/speech", json=SPEECH),
    "transcription": lambda client: client.post(
        "/audio/transcriptions", data={"model": "whisper-1"}, files={"file": CLIP}
    ),
}


@pytest.fixture
def database() -> Iterator[StoppablePostgres]:
    with stoppable_postgres() as server:
        yield server


@pytest.fixture
async def client(
    database: StoppablePostgres, settings: Settings, engine: EchoTranscriber, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx2.AsyncClient]:
    monkeypatch.setattr(readiness, "FRESH_SECONDS", 0.0)
    storage = settings.storage.model_copy(update={"database_url": database.url})
    ours = settings.model_copy(update={"storage": storage})
    migrated(ours.database_url)
    container = Container(ours, lambda _: engines_of(engine), lambda _: ToneEngine(ToneSynthesizer()))
    await container.open()
    await add_tone_voice(container)
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1/v1") as made:
        yield made
    await container.close()


class Load:
    """Clients that send requests without a pause, and the statuses of their answers."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.seen: dict[str, Counter[int]] = {}
        self.wrong: list[str] = []
        self._over = False
        self._tasks = [asyncio.create_task(self._ask(name)) for name in ASKS for _ in range(2)]

    async def phase(self) -> dict[str, Counter[int]]:
        """Waits until every kind of request has enough answers, and returns the statuses since the call."""
        self.seen = {name: Counter() for name in ASKS}
        await until(
            lambda: self.broken() or all(count.total() >= ENOUGH for count in self.seen.values()), seconds=60
        )
        assert not self.broken()
        return {name: Counter(count) for name, count in self.seen.items()}

    def broken(self) -> list[BaseException | None]:
        """The exceptions with which clients ended; there should be none."""
        return [task.exception() for task in self._tasks if task.done()]

    async def close(self) -> None:
        """Lets the last requests end: a request that is cancelled is answered as when the server stops."""
        self._over = True
        await asyncio.gather(*self._tasks)

    async def _ask(self, name: str) -> None:
        while not self._over:
            answer = await ASKS[name](self._client)
            if answer.status_code >= 500 and (
                answer.status_code != 503
                or answer.json()["error"]["code"] != "storage_unavailable"
                or not answer.headers.get("retry-after")
            ):
                self.wrong.append(f"{name}: {answer.status_code} {answer.text[:300]}")
            if name in self.seen:
                self.seen[name][answer.status_code] += 1


async def all_well(load: Load) -> None:
    """Returns once every kind of request succeeds."""
    for _ in range(20):
        if all(set(count) == {200} for count in (await load.phase()).values()):
            return
    raise AssertionError(load.seen)


async def test_a_server_that_stops_and_starts_again(
    client: httpx2.AsyncClient, database: StoppablePostgres
) -> None:
    load = Load(client)
    try:
        await all_well(load)
        await asyncio.to_thread(database.stop)
        await load.phase()  # waits for requests that had begun before
        stopped = await load.phase()
        assert (await client.get("http://127.0.0.1/health/ready")).status_code == 503
        await asyncio.to_thread(database.start)
        await all_well(load)
        assert (await client.get("http://127.0.0.1/health/ready")).status_code == 200
    finally:
        await load.close()
    assert load.wrong == []
    assert set(stopped["list"]) == set(stopped["rename"]) == {503}
    assert set(stopped["transcription"]) == {200}, "needs no database"
