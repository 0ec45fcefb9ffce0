"""`Idempotency-Key`: a request that is sent twice creates its thing once, on one server and on several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from app.domain import Caller, VoiceConsent
from app.errors import IdempotencyKeyInUse, IdempotencyKeyReused, SpeakerMismatch, StorageFull
from app.services import idempotency
from app.services.consents import ConsentService
from app.services.idempotency import IdempotencyService
from app.services.steps import uninterrupted_write
from app.settings import Settings
from app.store.database import Database
from app.store.idempotency import IdempotencyStore, StoredAnswer
from tests.support.migrated_database import migrated
from tests.support.waiting import rounds, until

CONSENTS = "/audio/voice_consents"
ME = Caller("default", "key_1")


class Making:
    """Creates things with consecutive numbers; it waits while `gate` is not set."""

    def __init__(self) -> None:
        self.begun = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def __call__(self) -> dict[str, Any]:
        self.begun += 1
        number = self.begun
        await self.gate.wait()
        if self.failure:
            raise self.failure
        return {"id": f"made_{number}"}


@pytest.fixture
def making() -> Making:
    return Making()


@pytest.fixture
async def fronts(settings: Settings) -> AsyncIterator[list[IdempotencyService]]:
    """Two servers that share one SQLite database."""
    async for made in opened(settings.database_url):
        yield made


async def opened(url: str) -> AsyncIterator[list[IdempotencyService]]:
    await asyncio.to_thread(migrated, url)
    async with AsyncExitStack() as stack:
        databases = [Database(url) for _ in range(2)]
        for database in databases:
            stack.push_async_callback(database.close)
        yield [IdempotencyService(IdempotencyStore(database)) for database in databases]


async def test_the_second_request_gets_the_answer_of_the_first(
    fronts: list[IdempotencyService], making: Making
) -> None:
    first, second = fronts
    assert await first.once(ME, "k", ("a", b"b"), making) == ({"id": "made_1"}, False)
    for front in (first, second, first):
        assert await front.once(ME, "k", ("a", b"b"), making) == ({"id": "made_1"}, True)
    assert making.begun == 1
    assert (await first.once(ME, None, ("a",), making))[1] is False
    assert (await first.once(Caller("other", "key_1"), "k", ("x",), making))[0] == {"id": "made_3"}


async def test_another_request_with_the_same_key_is_refused(
    fronts: list[IdempotencyService], making: Making
) -> None:
    await fronts[0].once(ME, "k", ("a", "bc"), making)
    for parts in (("a", "bd"), ("ab", "c"), ("a",), ("a", "bc", "")):
        with pytest.raises(IdempotencyKeyReused):
            await fronts[1].once(ME, "k", parts, making)
    assert making.begun == 1


async def test_a_failed_request_may_be_sent_again(fronts: list[IdempotencyService], making: Making) -> None:
    making.failure = SpeakerMismatch(0.1, 0.5)
    with pytest.raises(SpeakerMismatch):
        await fronts[0].once(ME, "k", ("a",), making)
    making.failure = None
    assert await fronts[1].once(ME, "k", ("b",), making) == ({"id": "made_2"}, False)


async def test_a_request_whose_client_leaves_frees_its_key(
    fronts: list[IdempotencyService], making: Making
) -> None:
    making.gate.clear()
    leaving = asyncio.ensure_future(fronts[0].once(ME, "k", ("a",), making))
    await until(lambda: making.begun == 1)
    with pytest.raises(IdempotencyKeyInUse):
        await fronts[1].once(ME, "k", ("a",), making)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    making.gate.set()
    assert await fronts[1].once(ME, "k", ("a",), making) == ({"id": "made_2"}, False)


class Held(IdempotencyStore):
    """A store whose writes stop halfway until `gate` is set, so that a client can leave during a write.
    `begun` lists the names of the writes that were started.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.gate = asyncio.Event()
        self.begun: list[str] = []

    async def claim(
        self, project: str, key: str, fingerprint: str, claim: str, *, at: int, abandoned: int
    ) -> StoredAnswer | None:
        found = await super().claim(project, key, fingerprint, claim, at=at, abandoned=abandoned)
        self.begun.append("claim")
        await self.gate.wait()
        return found

    async def answer(self, project: str, key: str, claim: str, answer: str) -> None:
        self.begun.append("answer")
        await self.gate.wait()
        await super().answer(project, key, claim, answer)


@pytest.fixture
async def held(settings: Settings) -> AsyncIterator[Held]:
    await asyncio.to_thread(migrated, settings.database_url)
    database = Database(settings.database_url)
    yield Held(database)
    await database.close()


@pytest.mark.parametrize(("write", "again"), [("claim", False), ("answer", True)])
async def test_a_client_that_leaves_during_a_write_keeps_no_key(
    held: Held, making: Making, write: str, again: bool
) -> None:
    """Before this was fixed, the client's next try was refused for a quarter of an hour, and then made
    the thing once more.
    """
    service = IdempotencyService(held)
    leaving = asyncio.ensure_future(service.once(ME, "k", ("a",), making))
    if write == "answer":
        await until(lambda: "claim" in held.begun)
        held.gate.set()
        held.gate.clear()
    await until(lambda: write in held.begun)
    leaving.cancel()
    held.gate.set()
    await asyncio.gather(leaving, return_exceptions=True)
    assert leaving.cancelled()
    assert await service.once(ME, "k", ("a",), making) == ({"id": "made_1"}, again)
    assert making.begun == 1


async def test_a_client_that_leaves_during_the_last_write_of_its_thing_gets_it_with_the_next_try(
    fronts: list[IdempotencyService], making: Making
) -> None:
    """Before this was fixed, the thing was made, but its key was given up, so that the next try made it
    once more.
    """
    making.gate.clear()

    async def create() -> dict[str, Any]:
        return await uninterrupted_write.finished(making(), "made_1")

    leaving = asyncio.ensure_future(fronts[0].once(ME, "k", ("a",), create))
    await until(lambda: making.begun == 1)
    leaving.cancel()
    await rounds(5)
    making.gate.set()
    await asyncio.wait({leaving})
    assert await fronts[1].once(ME, "k", ("a",), making) == ({"id": "made_1"}, True)
    assert making.begun == 1


async def test_a_last_write_that_never_ends_is_given_up(
    fronts: list[IdempotencyService], making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uninterrupted_write, "LAST_WRITE_SECONDS", 0.05)
    making.gate.clear()
    creating = fronts[0].once(ME, "k", ("a",), lambda: uninterrupted_write.finished(making(), "made_1"))
    leaving = asyncio.ensure_future(creating)
    await until(lambda: making.begun == 1)
    leaving.cancel()
    await rounds(3)
    leaving.cancel()
    await asyncio.wait({leaving}, timeout=20)
    assert leaving.cancelled()
    making.gate.set()
    assert await fronts[1].once(ME, "k", ("a",), making) == ({"id": "made_2"}, False)


async def test_a_failed_last_write_is_told_to_who_has_left_as_well() -> None:
    making = Making()
    making.gate.clear()
    making.failure = StorageFull()
    leaving = asyncio.ensure_future(uninterrupted_write.finished(making(), "made_1"))
    await until(lambda: making.begun == 1)
    leaving.cancel()
    making.gate.set()
    with pytest.raises(StorageFull):
        await leaving


async def test_the_key_of_a_server_that_died_is_free_again(
    fronts: list[IdempotencyService], making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    making.gate.clear()
    dead = asyncio.ensure_future(fronts[0].once(ME, "k", ("a",), making))
    await until(lambda: making.begun == 1)
    monkeypatch.setattr(idempotency, "ABANDONED_SECONDS", -10)
    next_one = asyncio.ensure_future(fronts[1].once(ME, "k", ("a",), making))
    await until(lambda: making.begun == 2)
    making.gate.set()
    assert await next_one == ({"id": "made_2"}, False)
    await dead
    monkeypatch.setattr(idempotency, "ABANDONED_SECONDS", 900)
    assert (await fronts[0].once(ME, "k", ("a",), making)) == ({"id": "made_2"}, True), "the claim's holder"


@pytest.mark.slow
async def test_of_many_at_once_one_is_made(any_database: str, making: Making) -> None:
    async for fronts in opened(any_database):
        answers = await asyncio.gather(
            *(fronts[number % 2].once(ME, "k", ("a",), making) for number in range(12)),
            return_exceptions=True,
        )
        assert making.begun == 1
        made = [answer for answer in answers if isinstance(answer, tuple)]
        assert {answer[0]["id"] for answer in made} == {"made_1"}
        assert all(isinstance(answer, IdempotencyKeyInUse | tuple) for answer in answers), answers


async def test_over_http(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    async def create(_: ConsentService, caller: Caller, name: str, language: str, __: bytes) -> VoiceConsent:
        made.append(name)
        return VoiceConsent(f"cons_{len(made)}", caller.project, name, language, 1)

    monkeypatch.setattr(ConsentService, "create", create)

    async def post(key: str, name: str = "Ann", recording: bytes = b"r") -> httpx2.Response:
        return await client.post(
            CONSENTS,
            headers={"Idempotency-Key": key},
            data={"name": name, "language": "en-US"},
            files={"recording": ("r.wav", recording)},
        )

    first, again = await post("k"), await post("k")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    for changed in (await post("k", name="Bob"), await post("k", recording=b"other")):
        assert changed.status_code == 400
        assert changed.json()["error"]["code"] == "idempotency_key_reused"
    for odd in ("", "x" * 256):
        refused = await post(odd)
        assert refused.status_code == 400, odd
    assert made == ["Ann"]
