"""Nothing that waits for a process waits without end: loads are bounded, and a cancelled request and a stop
of the server reach every call.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from app.errors import ShuttingDown
from app.runtime import process_host, stuck_calls
from app.runtime.process_host import ProcessRules
from engines.errors import EngineDied, EngineDown
from engines.types import SAMPLE_RATE, Pcm, Window
from tests.contract.test_processes import Made, host_of, is_gone, pid_of
from tests.support.scripted_engines import LOAD
from tests.support.waiting import until, wait_until

pytestmark = pytest.mark.slow
MODEL: Final = "transcription"
STUCK = ProcessRules(stuck_seconds=0.3)


class Scripted(Made):
    """Models of which a test says what happens when they are loaded."""

    @property
    def load_script(self) -> Path:
        return self.model(MODEL).folder / LOAD

    def next_load(self, script: str) -> None:
        self.load_script.write_text(script)

    def kill(self) -> None:
        pid = pid_of(self.runner)
        assert pid
        os.kill(pid, signal.SIGKILL)

    def kill_what_loads(self) -> None:
        host = host_of(self.runner)
        if host._latest and not host._child:
            host._latest.kill(EngineDied("the test goes on"))

    @property
    def loading(self) -> bool:
        """Whether a process is up that has not loaded its engine."""
        host = self.runner._place._hosts[-1]  # type: ignore[attr-defined]  # of `ProcessesPlacement`
        return bool(host._latest and host._latest.alive and not host._child)


@pytest.fixture
async def setting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scripted]:
    made = Scripted(tmp_path, getattr(request, "param", ProcessRules()))
    yield made
    made.go()
    await asyncio.to_thread(made.runner.close)
    made.threads.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load counts as stuck after twice the time of the longest one."""
    monkeypatch.setattr(process_host, "PING_SECONDS", 0.1)
    monkeypatch.setattr(stuck_calls, "USUAL_TIMES", 2)


@pytest.mark.parametrize("setting", [STUCK], indirect=True)
@pytest.mark.usefixtures("impatient")
async def test_a_load_after_a_crash_that_hangs_is_ended_and_tried_again(
    setting: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await setting.say(setting.runner.admit())
    setting.next_load("hang")
    setting.kill()
    waiting = asyncio.create_task(setting.say(setting.runner.admit()))
    await until(lambda: "was loading" in (setting.runner.problem(setting.model(MODEL)) or ""), 60)
    assert not waiting.done(), "it waits for the next process"
    monkeypatch.setattr(stuck_calls, "USUAL_TIMES", 20)
    setting.load_script.unlink()
    setting.kill_what_loads()
    assert await asyncio.wait_for(waiting, 60) == "0 of 1"
    assert b'reason="stuck"' in setting.meters.page()


@pytest.mark.parametrize("setting", [STUCK], indirect=True)
@pytest.mark.usefixtures("impatient")
async def test_a_load_after_an_unload_that_hangs_is_ended(
    setting: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await setting.say(setting.runner.admit())
    await asyncio.to_thread(wait_until, setting.runner._lanes[MODEL].life.evict)
    setting.next_load("hang")
    with pytest.raises(EngineDown, match="was loading"):
        await asyncio.wait_for(setting.say(setting.runner.admit()), 60)
    monkeypatch.setattr(stuck_calls, "USUAL_TIMES", 20)
    setting.load_script.unlink()
    assert await setting.say(setting.runner.admit()) == "0 of 1"


async def test_a_cancelled_request_gives_up_the_call_that_waits_for_a_process(setting: Scripted) -> None:
    await setting.say(setting.runner.admit())
    setting.next_load("hang")
    setting.kill()
    permit = setting.runner.admit()
    waiting = asyncio.create_task(setting.say(permit))
    await until(lambda: setting.runner.snapshot().running == 1 and setting.loading, 20)
    permit.cancel.set()
    waiting.cancel()
    await until(lambda: setting.runner.snapshot().running == 0, 20)


@pytest.mark.parametrize("first", [True, False])
async def test_a_stop_does_not_wait_for_a_load(setting: Scripted, *, first: bool) -> None:
    if not first:
        await setting.say(setting.runner.admit())
    setting.next_load("hang")
    if not first:
        setting.kill()
    waiting = asyncio.create_task(setting.say(setting.runner.admit()))
    await until(lambda: bool(setting.runner._lanes) and bool(setting.runner._place._hosts), 20)  # type: ignore[attr-defined]  # of `ProcessesPlacement`
    await until(lambda: setting.loading, 20)
    pid = setting.runner._place._hosts[-1]._latest.pid  # type: ignore[attr-defined]  # of `ProcessesPlacement`
    await asyncio.wait_for(asyncio.to_thread(setting.runner.close), 20)
    with pytest.raises(ShuttingDown):
        await waiting
    assert is_gone(pid)


async def test_a_stop_ends_work_for_which_nobody_waits(setting: Scripted) -> None:
    await setting.say(setting.runner.admit())
    permit = setting.runner.admit()
    waiting = asyncio.create_task(setting.say(permit, prompt=f"touch:{setting.path('begun')} hang"))
    await until(setting.path("begun").exists, 20)
    waiting.cancel()
    permit.close()
    pid = pid_of(setting.runner)
    assert pid
    await asyncio.wait_for(asyncio.to_thread(setting.runner.close), 20)
    assert is_gone(pid)


async def test_a_process_that_is_stopped_keeps_neither_windows_nor_the_server_waiting(
    setting: Scripted,
) -> None:
    """Windows that wait are sent to it by the threads that all requests share."""
    await setting.say(setting.runner.admit())
    pid = pid_of(setting.runner)
    assert pid
    os.kill(pid, signal.SIGSTOP)
    sound = Pcm(np.zeros(30 * SAMPLE_RATE, np.float32))

    def prepare() -> None:
        for _ in range(20):
            host_of(setting.runner).prepare(Window(sound))

    await asyncio.wait_for(asyncio.to_thread(prepare), 20)
    await asyncio.wait_for(asyncio.to_thread(setting.runner.close), 20)
    assert is_gone(pid)


async def test_a_stop_lets_work_end_for_which_somebody_waits(setting: Scripted) -> None:
    busy = await setting.occupied()
    closing = asyncio.create_task(asyncio.to_thread(setting.runner.close))
    await until(lambda: host_of(setting.runner).stopping, 20)
    setting.go()
    assert await busy == "0 of 1"
    await asyncio.wait_for(closing, 20)


async def test_a_process_that_is_killed_in_its_first_load_costs_no_request(setting: Scripted) -> None:
    begun = setting.path("begun")
    setting.next_load(f"touch:{begun} wait:{setting.path('go')}")
    waiting = [asyncio.create_task(setting.say(setting.runner.admit(), start=i)) for i in range(8)]
    for _ in range(2):
        await until(begun.exists, 20)
        victim = setting.runner._place._hosts[-1]._latest  # type: ignore[attr-defined]  # of `ProcessesPlacement`
        begun.unlink()
        os.kill(victim.pid, signal.SIGKILL)
    await until(begun.exists, 20)
    setting.go()
    texts = await asyncio.wait_for(asyncio.gather(*waiting), 20)
    assert sorted(text.split()[0] for text in texts) == [str(i) for i in range(8)]


async def test_deaths_before_the_first_load_are_counted(setting: Scripted) -> None:
    setting.next_load("abort")
    with pytest.raises(EngineDown, match="Aborted"):
        await setting.say(setting.runner.admit())
    counted = b'antiphon_child_restarts_total{device="unknown",model="transcription",reason="crash"} 1.0'
    assert counted in setting.meters.page()


async def test_the_memory_of_a_process_is_told_and_that_of_a_dead_one_is_none(
    setting: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_host, "PING_SECONDS", 0.1)

    def told() -> float:
        lines = setting.meters.page().decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(BYTES))

    await setting.say(setting.runner.admit())
    child = host_of(setting.runner)._child
    assert child
    before = told()
    assert before == pytest.approx(child.memory, rel=0.2)
    await setting.say(setting.runner.admit(), prompt="grow")
    assert told() - before > 60 << 20
    held = told()
    await setting.say(setting.runner.admit(), prompt="shrink")
    await until(lambda: told() < held - (60 << 20), 20, "it is told also without another call")
    setting.next_load("hang")
    setting.kill()
    await until(lambda: told() == 0, 20)


BYTES = 'antiphon_child_bytes{device="cpu",model="transcription"}'
