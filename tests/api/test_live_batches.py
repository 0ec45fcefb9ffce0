"""Windows of several live sessions that wait for the model at the same time share a batch."""

from __future__ import annotations

import asyncio

from app.container import Container
from app.domain.live import LiveEvent, LiveSettings, SoundFormat
from app.settings import Settings
from app.store.migrations import upgrade
from tests.conftest import JFK
from tests.support.engines import EchoTranscriber, engines_of
from tests.support.sound import decode
from tests.support.waiting import until

OTHERS = 3


async def test_looks_of_several_sessions_share_a_batch(settings: Settings) -> None:
    engine, events = EchoTranscriber(), list[LiveEvent]()
    upgrade(settings.database_url)
    container = Container(settings, lambda _: engines_of(engine))
    speech = (decode(JFK.read_bytes())[: 16_000 * 3] * 32_767).astype("<i2").tobytes()
    wanted = LiveSettings(model="whisper-1", format=SoundFormat("pcm", 16_000), language="en")
    sessions = [await container.services.live.open(wanted, events.append) for _ in range(1 + OTHERS)]
    try:
        engine.gate.clear()
        await sessions[0].append(speech)
        await until(lambda: engine.batches, 20, "the look of the first session")
        for session in sessions[1:]:
            await session.append(speech)
        await until(lambda: container.runner.snapshot().waiting == OTHERS, 20, "the looks of the others")
        engine.gate.set()
        await until(lambda: len(engine.batches) > 1, 20, "a second batch")
        assert len(engine.batches[1]) == OTHERS
    finally:
        engine.gate.set()
        await asyncio.gather(*(session.close() for session in sessions))
        await container.close()
