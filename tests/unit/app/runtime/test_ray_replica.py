"""A replica without Ray: it is a plain class, which Ray only starts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from app.runtime import ray_replica
from app.runtime.child_messages import Done, Failure, Loaded
from app.runtime.ray_messages import packed, unpacked
from app.runtime.ray_replica import Replica, Turns
from engines.errors import ClusterDown, EngineError
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, TranscribeOptions, Window
from engines.work import Order, Transcribe
from tests.support.scripted_engines import BROKEN, FINDER
from tests.support.waiting import rounds, until

SOUND = Pcm(np.zeros(SAMPLE_RATE, np.float32))


def replica(folder: Path, stuck_seconds: float = 60.0) -> Replica:
    return Replica(Order("transcription", "scripted", folder, EngineOptions()), FINDER, stuck_seconds)


def work(prompt: str = "") -> Transcribe:
    return Transcribe((Window(SOUND, prompt=prompt),), TranscribeOptions())


async def test_it_says_what_it_has_loaded_and_does_work(tmp_path: Path) -> None:
    made = replica(tmp_path)
    facts = unpacked(await made.load())
    assert isinstance(facts, Loaded)
    assert facts.calls == 1
    done = unpacked(await made.do(packed(work()), alone=False))
    assert isinstance(done, Done)
    assert done.value[0].segments[0].text == "0 of 1"
    await made.check_health()


async def test_a_failure_is_an_answer(tmp_path: Path) -> None:
    failed = unpacked(await replica(tmp_path).do(packed(work("fail")), alone=True))
    assert isinstance(failed, Failure)
    with pytest.raises(EngineError, match="as the script says"):
        raise failed.rebuilt()


async def test_an_engine_that_cannot_be_loaded_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / BROKEN).touch()
    monkeypatch.setattr(ray_replica, "RELOAD_SECONDS", 0.2)
    made = replica(tmp_path)
    assert await made.record_replica_metadata() == {"loaded": False}
    assert isinstance(unpacked(await made.load()), Failure)
    assert isinstance(unpacked(await made.do(packed(work()), alone=False)), Failure)
    assert await made.record_routing_stats() == {"loaded": False}
    (tmp_path / BROKEN).unlink()
    both = asyncio.gather(*(made.do(packed(work()), alone=False) for _ in range(2)))
    assert [type(unpacked(answer)) for answer in await both] == [Done, Done]
    assert await made.record_routing_stats() == {"loaded": True}
    await made.check_health()


async def test_a_look_at_its_health_loads_an_engine_late_and_gives_up_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_replica, "RELOAD_SECONDS", 0.2)
    (tmp_path / BROKEN).touch()
    made = replica(tmp_path)
    await made.check_health()
    monkeypatch.setattr(ray_replica, "UNLOADED_SECONDS", 0.0)
    with pytest.raises(RuntimeError, match="cannot be loaded"):
        await made.check_health()
    (tmp_path / BROKEN).unlink()
    await until(lambda: made._host is not None)
    await made.check_health()


async def test_work_that_cannot_be_read_is_an_answer(tmp_path: Path) -> None:
    """A server of another version may send classes that this replica does not have."""
    failed = unpacked(await replica(tmp_path).do((b"of another version", ()), alone=False))
    assert isinstance(failed, Failure)
    with pytest.raises(ClusterDown, match="another version"):
        raise failed.rebuilt()


async def test_a_call_that_is_stuck_ends_the_replica(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends itself: what Ray ends would not count as a fault of the call."""
    made, ends = replica(tmp_path, stuck_seconds=0.0), list[str]()
    monkeypatch.setattr(made, "_end", ends.append)
    go, begun = tmp_path / "go", tmp_path / "begun"
    running = asyncio.create_task(made.do(packed(work(f"touch:{begun} wait:{go}")), alone=False))
    await until(begun.exists)
    await made.check_health()
    assert ends == ["a call is stuck"]
    go.touch()
    assert isinstance(unpacked(await running), Done)
    await made.check_health()
    assert len(ends) == 1


async def test_a_call_that_is_cancelled_is_dropped_or_ends_before_the_next(tmp_path: Path) -> None:
    made = replica(tmp_path)
    go, begun, no = tmp_path / "go", tmp_path / "begun", tmp_path / "no"
    running = asyncio.create_task(made.do(packed(work(f"touch:{begun} wait:{go}")), alone=False))
    await until(begun.exists)
    waiting = asyncio.create_task(made.do(packed(work(f"touch:{no}")), alone=False))
    await rounds(5)
    waiting.cancel()
    running.cancel()
    await asyncio.wait([waiting])
    alone = asyncio.create_task(made.do(packed(work()), alone=True))
    await rounds(5)
    assert not running.done(), "the engine is still at it"
    assert not alone.done()
    go.touch()
    assert isinstance(unpacked(await alone), Done)
    assert (waiting.cancelled(), running.cancelled(), no.exists()) == (True, True, False)


async def test_who_must_be_alone_waits_and_keeps_others_out() -> None:
    turns, told = Turns(), list[str]()

    async def call(name: str, end: asyncio.Event, *, alone: bool) -> None:
        async with turns.turn(alone=alone):
            told.append(f"{name} begins")
            await end.wait()
            told.append(f"{name} ends")

    ends = [asyncio.Event() for _ in range(4)]
    calls = [
        asyncio.create_task(call("first", ends[0], alone=False)),
        asyncio.create_task(call("second", ends[1], alone=False)),
    ]
    await rounds(5)
    calls.append(asyncio.create_task(call("alone", ends[2], alone=True)))
    await rounds(5)
    calls.append(asyncio.create_task(call("later", ends[3], alone=False)))
    for end in ends:
        await rounds(10)
        end.set()
    await asyncio.gather(*calls)
    assert told == [
        *("first begins", "second begins", "first ends", "second ends"),
        *("alone begins", "alone ends", "later begins", "later ends"),
    ]


async def test_who_gives_up_waiting_keeps_nobody_out() -> None:
    turns = Turns()
    async with turns.turn(alone=False):
        waiting = asyncio.create_task(anext_turn(turns))
        await rounds(5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(10), turns.turn(alone=False):
        pass


async def anext_turn(turns: Turns) -> None:
    async with turns.turn(alone=True):
        pass
