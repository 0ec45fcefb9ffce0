"""What every placement of the engines must do: order, errors, cancellation, deadlines, poison, closing.

The engines obey scripts (`tests/support/scripted_engines.py`) and nothing is shared with them but files, so
that a placement in other processes passes the same suite: it needs a line in `PLACEMENTS`, or a file of its
own as `test_ray.py` is.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from app.errors import ApiError, RequestTimedOut, ShuttingDown
from app.runtime import memory_shortage, model_life
from app.runtime.admission import Permit
from app.runtime.processes_placement import ProcessesPlacement
from app.runtime.threads_placement import ThreadsPlacement
from engines.catalog import EngineFinder
from engines.errors import EngineError, EngineOutOfMemory
from engines.types import SAMPLE_RATE, DiarizeOptions, Samples, SpeakerSample, Utterance
from engines.work import Place
from tests.support.runner_setting import SECOND, Setting
from tests.support.scripted_engines import BROKEN, FINDER, VECTOR
from tests.support.waiting import until

PLACEMENTS: dict[str, Callable[[EngineFinder], Place]] = {
    "threads": ThreadsPlacement,
    "processes": ProcessesPlacement,
}
LOAD_SECONDS = 60.0
"""A bound for loading a model, for which a cluster starts a process."""


STARTS_PROCESSES = {"processes": pytest.mark.slow}


@pytest.fixture(params=[pytest.param(one, marks=STARTS_PROCESSES.get(one, ())) for one in sorted(PLACEMENTS)])
async def setting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Setting]:
    async with Setting(PLACEMENTS[request.param](FINDER), tmp_path).kept() as made:
        yield made


async def test_each_window_gets_its_own_result(setting: Setting) -> None:
    permits = [setting.runner.admit() for _ in range(5)]
    texts = await asyncio.gather(*(setting.say(permits[i % 5], start=i) for i in range(100)))
    assert [text.split()[0] for text in texts] == [str(i) for i in range(100)]


async def test_windows_of_several_requests_share_batches(setting: Setting) -> None:
    busy = await setting.occupied()
    waiting = [asyncio.create_task(setting.say(setting.runner.admit(), start=i)) for i in range(4)]
    await until(lambda: setting.runner.snapshot().waiting == 4)
    setting.go()
    assert await asyncio.gather(*waiting) == [f"{i} of 4" for i in range(4)]
    assert await busy == "0 of 1"


async def test_every_verb(setting: Setting) -> None:
    runner, permit = setting.runner, setting.runner.admit()
    assert await setting.say(permit) == "0 of 1"
    sound = await runner.synthesize(setting.model("speech"), Utterance("four", "one", "en"), permit)
    assert (len(sound.samples), sound.rate) == (4, 24_000)
    assert np.array_equal(await runner.embed(setting.model("speaker"), SECOND, permit), VECTOR * SAMPLE_RATE)
    vector = await runner.know(setting.model("diarization"), SECOND, permit)
    assert np.array_equal(vector, VECTOR * SAMPLE_RATE)
    sample = SpeakerSample(SECOND, VECTOR, "de")
    profile = await runner.enroll(setting.model("speech"), "scripted", sample, permit)
    assert profile.data == b"de"


async def blocks_of(*lengths: int, loud: bool = False) -> AsyncIterator[Samples]:
    for length in lengths:
        yield np.full(length, 1.0 if loud else 0.0, np.float32)


@pytest.mark.parametrize("lengths", [(50_000,), (10_000,) * 5, (1,) * 100 + (49_900,)])
async def test_an_audio_is_heard_in_stretches_and_put_together(
    setting: Setting, lengths: tuple[int, ...]
) -> None:
    model, permit = setting.model("diarization"), setting.runner.admit()
    found = await setting.runner.diarize(model, blocks_of(*lengths), DiarizeOptions(), permit)
    assert [(turn.start, turn.end) for turn in found.turns] == [(0, 2), (1, 3), (2, 3.125)]


async def test_an_audio_without_sound_has_no_speakers(setting: Setting) -> None:
    model, permit = setting.model("diarization"), setting.runner.admit()
    assert not (await setting.runner.diarize(model, blocks_of(), DiarizeOptions(), permit)).turns


async def test_a_failure_in_the_middle_of_an_audio_leaves_nothing_behind(setting: Setting) -> None:
    model, permit = setting.model("diarization"), setting.runner.admit()
    with pytest.raises(EngineError, match="not silent"):
        await setting.runner.diarize(model, blocks_of(100_000, loud=True), DiarizeOptions(), permit)
    permit.close()
    await until(lambda: setting.runner.snapshot().idle)


async def test_a_failure_reaches_who_asked_and_nobody_else(setting: Setting) -> None:
    permit = setting.runner.admit()
    with pytest.raises(EngineError, match="as the script says"):
        await setting.say(permit, prompt="fail")
    assert await setting.say(permit) == "0 of 1"
    with pytest.raises(ApiError):
        await setting.runner.enroll(
            setting.model("speech"), "nobody", SpeakerSample(SECOND, VECTOR, "de"), permit
        )


async def test_a_failure_can_be_sent(setting: Setting) -> None:
    """Errors of engines cross between processes."""
    with pytest.raises(EngineError) as raised:
        await setting.say(setting.runner.admit(), prompt="fail")
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)  # noqa: S301 - our own bytes


async def test_a_model_of_another_kind_refuses_in_words(setting: Setting) -> None:
    with pytest.raises(EngineError, match="does not speak"):
        await setting.runner.synthesize(
            setting.model("transcription"), Utterance("a", "one", "en"), setting.runner.admit()
        )


@pytest.mark.parametrize("script", ["fail", "miscount", "memory", "exit"])
async def test_a_poisonous_row_fails_alone(setting: Setting, script: str) -> None:
    busy = await setting.occupied()
    good = [asyncio.create_task(setting.say(setting.runner.admit(), start=i)) for i in range(3)]
    bad = asyncio.create_task(setting.say(setting.runner.admit(), prompt=script))
    await until(lambda: setting.runner.snapshot().waiting == 4)
    setting.go()
    assert await asyncio.gather(*good) == ["0 of 1", "1 of 1", "2 of 1"], "each tried by itself"
    with pytest.raises(EngineError):
        await bad
    await busy
    assert await setting.say(setting.runner.admit()) == "0 of 1", "the lane works on"


async def test_memory_that_was_refused_is_told_and_forgotten(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineOutOfMemory):
        await setting.say(setting.runner.admit(), prompt="memory")
    told = [setting.shortage.problem]
    monkeypatch.setattr(memory_shortage, "LASTS_SECONDS", 0.0)
    told.append(setting.shortage.problem)
    assert [bool(problem) for problem in told] == [True, False]


async def test_who_leaves_the_queue_costs_nothing(setting: Setting) -> None:
    busy = await setting.occupied()
    permit = setting.runner.admit()
    waiting = [
        asyncio.create_task(setting.say(permit, prompt=f"touch:{setting.path('no')}")) for _ in range(9)
    ]
    await until(lambda: setting.runner.snapshot().waiting == 9)
    for task in waiting:
        task.cancel()
    await until(lambda: setting.runner.snapshot().waiting == 0)
    permit.close()
    setting.go()
    await busy
    assert not setting.path("no").exists()


async def test_nobody_waits_longer_than_their_request_may_take(setting: Setting) -> None:
    await setting.say(setting.runner.admit())
    setting.admission._seconds = 0.2
    late, later = setting.runner.admit(), setting.runner.admit()
    setting.admission._seconds = 30.0
    running = await setting.occupied(late)
    waiting = asyncio.create_task(setting.say(later))
    for task in (running, waiting):
        with pytest.raises(RequestTimedOut):
            await asyncio.wait_for(task, 10)
    assert not setting.path("go").exists(), "the engine is still at it"
    late.close()
    later.close()
    setting.go()
    await until(lambda: setting.runner.snapshot().running == 0)
    assert await setting.say(setting.runner.admit()) == "0 of 1"


async def test_a_short_request_is_not_kept_waiting_by_a_long_one(setting: Setting) -> None:
    busy = await setting.occupied()
    long, short = setting.runner.admit(), setting.runner.admit()
    order: list[str] = []

    async def noted(name: str, permit: Permit) -> None:
        await setting.say(permit)
        order.append(name)

    many = [asyncio.create_task(noted("long", long)) for _ in range(20)]
    await until(lambda: setting.runner.snapshot().waiting == 20)
    one = asyncio.create_task(noted("short", short))
    await until(lambda: setting.runner.snapshot().waiting == 21)
    setting.go()
    await asyncio.gather(busy, one, *many)
    assert order.index("short") < 4, "in the first batch"


async def test_a_model_that_cannot_be_loaded_fails_each_who_asks(setting: Setting) -> None:
    setting.suffix = "-first"
    model = setting.model("transcription")
    (model.folder / BROKEN).touch()
    with pytest.raises(ApiError):
        await setting.runner.load(model, setting.runner.admit())
    with pytest.raises(EngineError, match="broken"):
        await setting.say(setting.runner.admit())
    assert (setting.runner.state(model), setting.runner.problem(model)) == (
        "failed",
        "the weights are broken",
    )
    (model.folder / BROKEN).unlink()
    await setting.runner.load(model, setting.runner.admit())
    await until(lambda: (setting.runner.state(model), setting.runner.problem(model)) == ("loaded", None))


async def test_a_model_that_must_be_ready_recovers_by_itself(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_life, "FIRST_PAUSE_SECONDS", 0.05)
    setting.suffix = "-second"
    model = setting.model("transcription")
    (model.folder / BROKEN).touch()
    setting.runner.preload([model])
    await until(lambda: setting.runner.problem(model) == "the weights are broken", LOAD_SECONDS)
    (model.folder / BROKEN).unlink()
    await until(lambda: setting.runner.problem(model) is None)
    assert setting.runner.state(model) == "loaded"


async def test_closing_refuses_what_waits_and_ends_what_runs(setting: Setting) -> None:
    busy = await setting.occupied()
    waiting = asyncio.create_task(setting.say(setting.runner.admit()))
    await until(lambda: setting.runner.snapshot().waiting == 1)
    closing = asyncio.create_task(asyncio.to_thread(setting.runner.close))
    with pytest.raises(ShuttingDown):
        await asyncio.wait_for(waiting, 10)
    with pytest.raises(ShuttingDown):
        setting.runner.admit()
    assert not busy.done()
    setting.go()
    assert await busy == "0 of 1"
    await asyncio.wait_for(closing, 10)


@pytest.mark.slow
async def test_requests_at_random_leave_nothing_behind(setting: Setting) -> None:
    """Each request has its own fate; afterwards all is as before."""
    chance = np.random.default_rng(7)

    async def one(number: int) -> None:
        with setting.runner.admit() as permit:
            prompt = ("", "", "fail", "miscount", "memory", "exit")[chance.integers(6)]
            work = asyncio.gather(*(setting.say(permit, i, prompt) for i in range(3)), return_exceptions=True)
            try:
                await asyncio.wait_for(work, float(chance.uniform(0, 0.05)) if number % 2 else 20)
            except TimeoutError:
                return
            results = await work
            assert all(isinstance(result, EngineError if prompt else str) for result in results)

    await asyncio.gather(*(one(number) for number in range(200)))
    await until(lambda: setting.runner.snapshot().idle)
    assert await setting.say(setting.runner.admit()) == "0 of 1"
