"""Windows of several live sessions that wait for the model at the same time: they share a batch, except the
last one of a turn, which goes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.container import Container
from app.domain.live import LiveEvent, LiveSettings, SoundFormat
from app.runtime.runner import RowWatch
from app.services.steps.live_session import LiveSession
from app.settings import Settings
from engines.types import TranscribeOptions
from tests.conftest import JFK
from tests.support.fake_engines import EchoTranscriber, engines_of
from tests.support.migrated_database import migrated
from tests.support.sound import decode
from tests.support.waiting import until

OTHERS = 3
Busy = tuple[Container, list[LiveSession]]


def asking(number: int) -> LiveSettings:
    """The settings of a session whose client ends the turns; its windows are told from
    others by their prompt.
    """
    form, prompt = SoundFormat("pcm", 16_000), f"session {number}"
    return LiveSettings(model="whisper-1", format=form, language="en", prompt=prompt, turns=None)


@asynccontextmanager
async def waiting(settings: Settings, engine: EchoTranscriber) -> AsyncIterator[Busy]:
    """A server, and sessions whose looks wait in the queue of a model, which is busy with the look of another
    session.
    """
    events = list[LiveEvent]()
    migrated(settings.database_url)
    container = Container(settings, lambda _: engines_of(engine))
    speech = (decode(JFK.read_bytes())[: 16_000 * 3] * 32_767).astype("<i2").tobytes()
    sessions = [await container.services.live.open(asking(n), events.append) for n in range(1 + OTHERS)]
    try:
        engine.gate.clear()
        await sessions[0].append(speech)
        await until(lambda: engine.batches, 20, "the look of the first session")
        for session in sessions[1:]:
            await session.append(speech)
        await until(lambda: container.runner.snapshot().waiting == OTHERS, 20, "the looks of the others")
        yield container, sessions[1:]
    finally:
        engine.gate.set()
        await asyncio.gather(*(session.close() for session in sessions))
        await container.close()


def urgent_waits(container: Container) -> bool:
    """Whether an urgent row is in the queue of a model."""
    lanes = container.runner._lanes.values()
    return any(entry.urgent for lane in lanes for entry in lane._queue._entries.values())


async def test_looks_of_several_sessions_share_a_batch(settings: Settings) -> None:
    engine = EchoTranscriber()
    async with waiting(settings, engine):
        engine.gate.set()
        await until(lambda: len(engine.batches) > 1, 20, "a second batch")
        assert len(engine.batches[1]) == OTHERS


async def test_a_row_is_watched_until_a_batch_has_begun_with_it(settings: Settings) -> None:
    engine, watch = EchoTranscriber(), RowWatch()
    async with waiting(settings, engine) as (container, _):
        model, window = container.registry.resolve("whisper-1", "transcription"), engine.batches[0][0]
        with container.runner.admit() as permit:
            options = TranscribeOptions(beam_size=7)
            asked = container.runner.transcribe(model, window, options, permit, watch=watch)
            row = asyncio.ensure_future(asked)
            await until(lambda: container.runner.snapshot().waiting == OTHERS + 1, 20, "the row")
            assert watch.waits
            engine.gate.set()
            await row
            assert not watch.waits


async def test_the_last_look_of_a_turn_goes_before_looks_that_wait_longer(settings: Settings) -> None:
    """Although an early look of the same turn waits among them: it is taken out of the queue."""
    engine = EchoTranscriber()
    alone = settings.model_copy(update={"runtime": settings.runtime.model_copy(update={"batch_rows": 1})})
    async with waiting(alone, engine) as (container, sessions):
        sessions[-1].commit()
        await until(lambda: urgent_waits(container), 20, "the last look")
        assert container.runner.snapshot().waiting == OTHERS
        engine.gate.set()
        await until(lambda: len(engine.batches) > 1, 20, "a second batch")
        assert [window.prompt for window in engine.batches[1]] == [f"session {OTHERS}"]
