"""What a client of a key with limits sees, on one server and on several."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from app.container import Container
from app.domain import Caller, Grant, KeyLimits, UsageCounts
from app.main import create_app
from app.services import usage
from app.services.steps import key_limits
from app.services.usage import SYNC_SECONDS, UsageService
from app.settings import Settings
from tests.support.fake_engines import EchoTranscriber, ToneEngine, ToneSynthesizer, engines_of
from tests.support.migrated_database import migrated
from tests.support.sound import encode, tone, wav
from tests.support.waiting import rounds, until

CLIP = wav(tone(3))
SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Good morning.", "response_format": "pcm"}
Calling = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture
def calling(container: Container) -> Calling:
    return lambda **limits: limited(container, **limits)


@asynccontextmanager
async def limited(container: Container, **limits: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a new key that has these limits."""
    _, secret = await container.keys.create("a", grant=Grant(limits=KeyLimits(**limits)))
    async with client_of(container, secret) as client:
        yield client


def client_of(container: Container, secret: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {secret}"}
    return httpx2.AsyncClient(transport=transport, base_url="http://test/v1", headers=headers)


async def transcribed(client: httpx2.AsyncClient, **data: Any) -> httpx2.Response:
    form = {"model": "whisper-1", **data}
    return await client.post("/audio/transcriptions", data=form, files={"file": ("a", CLIP)})


def error(answer: httpx2.Response) -> dict[str, str]:
    found: dict[str, str] = answer.json()["error"]
    return found


@pytest.fixture
def minute_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the clock of the limits ahead to the next minute: limits hold for minutes of the clock, and a test
    must run within one minute.
    """
    ahead = 61 - time.time() % 60
    clock = SimpleNamespace(**vars(time) | {"time": lambda: time.time() + ahead})
    for module in (key_limits, usage):
        monkeypatch.setattr(module, "time", clock)


@pytest.mark.usefixtures("minute_begins")
async def test_every_answer_tells_the_limit_of_requests(calling: Calling) -> None:
    async with calling(requests_per_minute=3) as client:
        for left, path in ((2, "/models"), (1, "/models/none"), (0, "/metrics")):
            answer = await client.get(path)
            assert answer.headers["x-ratelimit-limit-requests"] == "3"
            assert answer.headers["x-ratelimit-remaining-requests"] == str(left), path
            assert 0 < float(answer.headers["x-ratelimit-reset-requests"].removesuffix("s")) <= 60
        refused = await client.get("/models")
    assert refused.status_code == 429
    assert error(refused)["code"] == "rate_limit_exceeded"
    assert "3 requests per minute" in error(refused)["message"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-should-retry" not in refused.headers


async def test_a_key_without_a_limit_has_no_such_headers(calling: Calling) -> None:
    async with calling(audio_seconds_per_month=100) as client:
        answer = await client.get("/models")
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


async def test_parallel_requests_are_exact(
    container: Container, calling: Calling, engine: EchoTranscriber
) -> None:
    async with calling(parallel=2) as client:
        engine.gate.clear()
        running = [asyncio.create_task(transcribed(client)) for _ in range(2)]
        try:
            await until(lambda: running_at(container.usage) == 2)
            refused = await transcribed(client)
        finally:
            engine.gate.set()
        assert refused.status_code == 429
        assert "2 requests at the same time" in error(refused)["message"]
        assert refused.headers["retry-after"] == "1"
        assert [answer.status_code for answer in await asyncio.gather(*running)] == [200, 200]
        assert (await transcribed(client)).status_code == 200


async def test_a_stream_counts_until_its_end(calling: Calling) -> None:
    async with calling(parallel=1) as client:
        for _ in range(3):
            answer = await transcribed(client, stream="true")
            assert answer.status_code == 200
            assert "transcript.text.done" in answer.text


@pytest.mark.usefixtures("minute_begins")
async def test_seconds_of_audio_in_a_minute(calling: Calling) -> None:
    async with calling(audio_seconds_per_minute=7) as client:
        assert (await transcribed(client)).status_code == 200
        assert (await transcribed(client)).status_code == 200
        refused = await transcribed(client)
        assert refused.status_code == 429
        assert "7 seconds of audio per minute" in error(refused)["message"]
        spoken = await client.post("/audio/speech", json=SPEECH)
        assert spoken.status_code == 200, "one second is left"
        assert (await client.get("/models")).status_code == 200


async def test_a_used_up_quota_and_what_the_sdk_makes_of_it(container: Container) -> None:
    import openai  # takes a second, which only this test needs

    grant = Grant(limits=KeyLimits(audio_seconds_per_month=4))
    _, secret = await container.keys.create("a", grant=grant)
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    asked: list[str] = []

    async def note(request: httpx2.Request) -> None:
        asked.append(request.url.path)

    http = httpx2.AsyncClient(transport=transport, event_hooks={"request": [note]})
    async with openai.AsyncOpenAI(api_key=secret, base_url="http://test/v1", http_client=http) as sdk:
        await sdk.audio.transcriptions.create(file=("a.wav", CLIP), model="whisper-1")
        asked.clear()
        with pytest.raises(openai.RateLimitError) as refused:
            await sdk.audio.transcriptions.create(file=("a.wav", CLIP), model="whisper-1")
        assert len(asked) == 1, "the SDK does not try again"
        assert refused.value.code == "insufficient_quota"
        assert refused.value.response.headers["x-should-retry"] == "false"
        assert "retry-after" not in refused.value.response.headers
        assert [model async for model in await sdk.models.list()]


def claims_a_second(flac: bytes) -> bytes:
    """The FLAC file with a head that claims 16,000 samples, however many there are."""
    fields = int.from_bytes(flac[18:26], "big") >> 36 << 36 | 16_000
    return flac[:18] + fields.to_bytes(8, "big") + flac[26:]


@pytest.mark.slow
@pytest.mark.covered
@pytest.mark.parametrize("stream", ["false", "true"])
async def test_a_file_that_lies_about_its_length_is_ended_by_the_quota(
    container: Container, calling: Calling, stream: str
) -> None:
    sound = claims_a_second(encode(tone(600), "flac", "flac", rate=16_000))
    async with calling(audio_seconds_per_month=40) as client:
        form = {"model": "whisper-1", "stream": stream}
        answer = await client.post("/audio/transcriptions", data=form, files={"file": ("a", sound)})
        assert "insufficient_quota" in answer.text
        assert answer.status_code == (200 if stream == "true" else 429)
        assert error(await transcribed(client))["code"] == "insufficient_quota"
    await container.usage.close()
    (day,) = await container.usage.days(0)
    assert 40 < day.counts.heard < 400, "a few windows are on their way"


@pytest.mark.usefixtures("minute_begins")
async def test_keys_that_were_rotated_are_counted_as_one(container: Container) -> None:
    old, secret = await container.keys.create("a", grant=Grant(limits=KeyLimits(requests_per_minute=2)))
    made = await container.keys.rotate(old, 3600)
    assert made
    async with client_of(container, secret) as one, client_of(container, made[1]) as other:
        assert (await one.get("/models")).status_code == 200
        assert (await other.get("/models")).status_code == 200
        assert (await one.get("/models")).status_code == 429


async def test_a_missing_scope_counts_and_tells_the_limit(container: Container) -> None:
    grant = Grant(scopes=frozenset({"speak"}), limits=KeyLimits(requests_per_minute=5))
    _, secret = await container.keys.create("a", grant=grant)
    async with client_of(container, secret) as client:
        answer = await client.get("/models")
    assert answer.status_code == 403
    assert answer.headers["x-ratelimit-limit-requests"] == "5"


@pytest.mark.usefixtures("minute_begins")
async def test_use_is_stored_and_survives_a_restart(container: Container, settings: Settings) -> None:
    limits = KeyLimits(requests_per_minute=100, audio_seconds_per_month=8)
    key, secret = await container.keys.create("a", "news", Grant(limits=limits))
    async with client_of(container, secret) as client:
        assert (await transcribed(client)).status_code == 200
        assert (await client.post("/audio/speech", json=SPEECH)).status_code == 200
    await container.usage.close()
    (day,) = await container.usage.days(0)
    assert (day.account, day.project, day.counts.requests, day.counts.heard) == (key.id, "news", 2, 3.0)
    assert 0.1 < day.counts.spoken < 3
    again = Container(
        settings, lambda _: engines_of(EchoTranscriber()), lambda _: ToneEngine(ToneSynthesizer())
    )
    try:
        async with client_of(again, secret) as client:
            first = await client.get("/models")
            assert first.headers["x-ratelimit-remaining-requests"] == "97"
            assert (await transcribed(client)).status_code == 200
            assert error(await transcribed(client))["code"] == "insufficient_quota"
    finally:
        await again.close()


@pytest.mark.slow
@pytest.mark.covered
async def test_what_is_counted_during_a_write_is_not_lost_at_the_end(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage, writing, go = container.usage, asyncio.Event(), asyncio.Event()
    add = usage._store.add

    async def slow(*entries: Any, **facts: Any) -> None:
        await add(*entries, **facts)
        writing.set()
        await go.wait()

    monkeypatch.setattr(usage._store, "add", slow)
    account = await usage.account(Caller("default", "key_a"))
    for _ in range(2):
        account.begin()
        account.end()
        await until(writing.is_set)
    closing = asyncio.create_task(usage.close())
    await rounds(3)
    go.set()
    await closing
    (day,) = await usage.days(0)
    assert day.counts.requests == 2


async def test_an_open_server_counts_too(container: Container, client: httpx2.AsyncClient) -> None:
    assert (await transcribed(client)).status_code == 200
    await container.usage.close()
    (day,) = await container.usage.days(0)
    assert (day.account, day.counts) == ("open", UsageCounts(requests=1, heard=3.0))


async def servers(
    stack: AsyncExitStack, settings: Settings, database: str, engine: EchoTranscriber, count: int
) -> list[Container]:
    """Servers that share one database."""
    shared = settings.storage.model_copy(update={"database_url": database})
    await asyncio.to_thread(migrated, database)
    fronts = [
        Container(
            settings.model_copy(update={"storage": shared}),
            lambda _: engines_of(engine),
            lambda _: ToneEngine(ToneSynthesizer()),
        )
        for _ in range(count)
    ]
    for front in fronts:
        stack.push_async_callback(front.close)
    return fronts


@pytest.mark.slow
@pytest.mark.covered
async def test_servers_tell_one_another_by_themselves(settings: Settings, engine: EchoTranscriber) -> None:
    assert SYNC_SECONDS == 1, "as docs/operating.md says"
    async with AsyncExitStack() as stack:
        fronts = await servers(stack, settings, settings.database_url, engine, 2)
        limits = KeyLimits(audio_seconds_per_month=4)
        _, secret = await fronts[0].keys.create("a", grant=Grant(limits=limits))
        one, other = [await stack.enter_async_context(client_of(front, secret)) for front in fronts]
        assert (await other.get("/models")).status_code == 200
        assert (await transcribed(one)).status_code == 200
        (account,) = fronts[1].usage._accounts.values()
        await until(lambda: account._month_audio() == pytest.approx(3), 60)
        assert error(await transcribed(other))["code"] == "insufficient_quota"


@pytest.mark.usefixtures("minute_begins")
@pytest.mark.slow
async def test_several_servers_count_together(
    settings: Settings, any_database: str, engine: EchoTranscriber
) -> None:
    """Three servers, one key: after a second each knows what the others have counted."""
    async with AsyncExitStack() as stack:
        fronts = await servers(stack, settings, any_database, engine, 3)
        limits = KeyLimits(requests_per_minute=40, parallel=2, audio_seconds_per_month=100)
        _, secret = await fronts[0].keys.create("a", grant=Grant(limits=limits))
        clients = [await stack.enter_async_context(client_of(front, secret)) for front in fronts]
        for client in clients:
            assert (await client.get("/models")).status_code == 200
        for _ in range(8):
            for client in clients:
                assert (await client.get("/models")).status_code == 200
        await asyncio.gather(*(front.usage.sync() for front in fronts))
        await asyncio.gather(*(front.usage.sync() for front in fronts))
        told = [(await client.get("/models")).headers["x-ratelimit-remaining-requests"] for client in clients]
        assert told == ["12", "12", "12"], "27 of all servers, and one of its own"
        engine.gate.clear()
        running = [asyncio.create_task(transcribed(client)) for client in clients[:2]]
        try:
            await until(lambda: [running_at(front.usage) for front in fronts] == [1, 1, 0])
            await asyncio.gather(*(front.usage.sync() for front in fronts))
            await asyncio.gather(*(front.usage.sync() for front in fronts))
            refused = await clients[2].get("/models")
            assert refused.status_code == 429
            assert "2 requests at the same time" in error(refused)["message"]
        finally:
            engine.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*running)] == [200, 200]


def running_at(usage: UsageService) -> int:
    return sum(account.running for account in usage._accounts.values())
