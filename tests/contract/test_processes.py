"""What a crash of an engine costs with the placement `processes`: the row that crashes it, nothing else."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.errors import EngineCrashed, ModelUnavailable, from_engine
from app.runtime import crash_history, process_host
from app.runtime.child_guard import CHILD_NICENESS
from app.runtime.lane_runner import LaneRunner
from app.runtime.meters import Meters
from app.runtime.process_host import ProcessHost, ProcessRules
from app.runtime.processes_placement import ProcessesPlacement
from engines.errors import EngineDied, EngineDown, EngineOutOfMemory, EngineStuck
from engines.types import EngineOptions, TranscribeOptions, Window
from engines.work import Order, Transcribe
from tests.conftest import ROOT
from tests.support.runner_setting import SECOND, Setting
from tests.support.scripted_engines import FINDER
from tests.support.waiting import ticks, until, wait_until

pytestmark = pytest.mark.slow


def host_of(runner: LaneRunner) -> ProcessHost:
    host = runner._lanes["transcription"].life.host
    assert isinstance(host, ProcessHost)
    return host


def pid_of(runner: LaneRunner) -> int | None:
    child = host_of(runner)._child
    return child.pid if child and child.alive else None


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def about(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def priorities(pid: int) -> set[int]:
    """The priorities of the threads of a process."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in threads}


class Made(Setting):
    """A runner whose engines are processes."""

    def __init__(self, folder: Path, rules: ProcessRules) -> None:
        self.meters = Meters()
        super().__init__(ProcessesPlacement(FINDER, rules, self.meters), folder)


@pytest.fixture
async def setting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Made]:
    made = Made(tmp_path, getattr(request, "param", ProcessRules()))
    yield made
    made.go()
    await asyncio.to_thread(made.runner.close)
    made.threads.close()


@pytest.mark.parametrize("script", ["abort", "segfault", "quit"])
async def test_a_row_that_crashes_the_engine_fails_alone(setting: Made, script: str) -> None:
    busy = await setting.occupied()
    good = [asyncio.create_task(setting.say(setting.runner.admit(), start=i)) for i in range(3)]
    bad = asyncio.create_task(setting.say(setting.runner.admit(), prompt=script))
    await until(lambda: setting.runner.snapshot().waiting == 4)
    setting.go()
    assert await asyncio.gather(*good) == ["0 of 1", "1 of 1", "2 of 1"], "each tried by itself"
    with pytest.raises(EngineDied) as raised:
        await bad
    assert await busy == "0 of 1"
    told = from_engine(raised.value)
    assert (told.status, told.code, told.retry) == (500, "engine_crashed", False)
    assert isinstance(told, EngineCrashed)
    assert await setting.say(setting.runner.admit()) == "0 of 1", "the next process works"
    assert (
        b'antiphon_child_restarts_total{device="cpu",model="transcription",reason="crash"} 2.0'
        in setting.meters.page()
    )


async def test_a_row_that_was_only_there_when_the_engine_crashed_is_tried_again(setting: Made) -> None:
    text = await setting.say(setting.runner.admit(), prompt=f"once:{setting.path('crashed')}")
    assert (text, setting.path("crashed").exists()) == ("0 of 1", True)


async def test_a_process_that_has_lost_its_gpu_is_replaced_and_the_work_done_again(setting: Made) -> None:
    assert await setting.say(setting.runner.admit()) == "0 of 1"
    before = pid_of(setting.runner)
    assert await setting.say(setting.runner.admit(), prompt=f"lose:{setting.path('lost')}") == "0 of 1"
    assert pid_of(setting.runner) != before
    assert setting.runner.problem(setting.model("transcription")) is None


async def test_memory_that_an_engine_cannot_have_fails_its_row(setting: Made) -> None:
    with pytest.raises(EngineOutOfMemory):
        await setting.say(setting.runner.admit(), prompt="eat")
    assert await setting.say(setting.runner.admit()) == "0 of 1"


@pytest.mark.parametrize("setting", [ProcessRules(stuck_seconds=0.2)], indirect=True)
async def test_a_call_without_end_is_given_up(setting: Made) -> None:
    assert await setting.say(setting.runner.admit()) == "0 of 1"
    before = pid_of(setting.runner)
    with pytest.raises(EngineStuck):
        await setting.say(setting.runner.admit(), prompt="hang")
    assert await setting.say(setting.runner.admit()) == "0 of 1"
    assert pid_of(setting.runner) != before
    assert b'reason="stuck"} 2.0' in setting.meters.page()


@pytest.mark.parametrize("setting", [ProcessRules(stuck_seconds=0.4)], indirect=True)
async def test_a_process_without_a_sign_of_life_is_told_and_replaced(
    setting: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_host, "PING_SECONDS", 0.1)
    model = setting.model("transcription")
    await setting.say(setting.runner.admit())
    before = pid_of(setting.runner)
    assert before
    os.kill(before, signal.SIGSTOP)
    await until(lambda: "silent" in (setting.runner.problem(model) or ""))
    await until(lambda: pid_of(setting.runner) not in (None, before))
    assert await setting.say(setting.runner.admit()) == "0 of 1"
    assert b'reason="stuck"} 1.0' in setting.meters.page()


@pytest.mark.parametrize("setting", [ProcessRules(stuck_seconds=0.4)], indirect=True)
async def test_native_code_that_never_lets_go_of_the_interpreter_is_ended_long_before_its_call(
    setting: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_host, "PING_SECONDS", 0.1)
    monkeypatch.setattr("app.runtime.stuck_calls.FIRST_TIMES", 1000)
    with pytest.raises(EngineStuck):
        await asyncio.wait_for(setting.say(setting.runner.admit(), prompt="grab"), 30)
    assert await setting.say(setting.runner.admit()) == "0 of 1"


async def test_windows_that_wait_are_sent_before_their_turn_and_once(setting: Made) -> None:
    busy = await setting.occupied()
    first = host_of(setting.runner)._child
    assert first
    rows = [asyncio.create_task(setting.say(setting.runner.admit(), start=i)) for i in range(4)]
    await until(lambda: setting.runner.snapshot().waiting == 4)
    assert first._windows._kept >= 4, "the one that is at work may have waited too"
    os.kill(first.pid, signal.SIGKILL)  # all four must be sent to the next one
    setting.go()
    assert sorted(text[0] for text in await asyncio.gather(*rows)) == ["0", "1", "2", "3"]
    assert await busy == "0 of 1"

    def unneeded() -> bool:
        gc.collect()  # the tracebacks of what the dead process failed hold windows in cycles
        return first._windows._kept == len(first._windows._unneeded)

    await until(unneeded, 60, what="all are unneeded")


@pytest.mark.parametrize(("device", "shown"), [("cpu", None), ("auto", b"3"), ("cuda", b"3")])
def test_a_process_sees_the_device_that_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, shown: bytes | None
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    options = EngineOptions(device=device, devices=(3,))
    host = ProcessesPlacement(FINDER).open(Order("transcription", "scripted", tmp_path, options))
    assert isinstance(host, ProcessHost)
    assert host._child
    variables = dict(line.partition(b"=")[::2] for line in about(host._child.pid, "environ").split(b"\0"))
    assert variables.get(b"CUDA_VISIBLE_DEVICES") == shown
    assert variables.get(b"CUDA_DEVICE_ORDER") == (shown and b"PCI_BUS_ID")
    host.close()


async def test_two_devices_get_equal_work_at_the_same_time(tmp_path: Path) -> None:
    """Two processes, each for a simulated GPU. Each piece of work waits for a file from the other GPU."""
    meters = Meters()
    options = EngineOptions(device="cuda", devices=(0, 1))
    place = ProcessesPlacement(FINDER, meters=meters)
    host = await asyncio.to_thread(place.open, Order("transcription", "scripted", tmp_path, options, "m"))
    assert host.calls == 2
    scripts = [f"touch:{tmp_path}/a wait:{tmp_path}/b", f"touch:{tmp_path}/b wait:{tmp_path}/a"]
    works = [Transcribe((Window(SECOND, prompt=script),), TranscribeOptions()) for script in scripts]
    await asyncio.gather(*(asyncio.to_thread(host.do, work, 10.0) for work in works))
    page = meters.page().decode()
    for device in ("cuda:0", "cuda:1"):
        assert f'antiphon_child_up{{device="{device}",model="m"}} 1.0' in page
        assert f'antiphon_call_overhead_seconds_count{{device="{device}",model="m"}} 1.0' in page
    await asyncio.to_thread(host.close)


@pytest.mark.parametrize("setting", [ProcessRules(child_bytes=150 << 20)], indirect=True)
async def test_a_process_that_grew_is_replaced_between_two_calls(setting: Made) -> None:
    await setting.say(setting.runner.admit())
    before = pid_of(setting.runner)
    texts = [await setting.say(setting.runner.admit(), start=i, prompt="grow") for i in range(4)]
    assert texts == [f"{i} of 1" for i in range(4)], "no call is lost"
    await until(lambda: pid_of(setting.runner) not in (None, before))
    assert b'reason="replaced"' in setting.meters.page()


async def test_unloading_ends_the_process(setting: Made) -> None:
    await setting.say(setting.runner.admit())
    pid = pid_of(setting.runner)
    assert pid
    life = setting.runner._lanes["transcription"].life
    await asyncio.to_thread(wait_until, life.evict)  # its last lease may end a moment after the answer
    assert is_gone(pid)
    assert await setting.say(setting.runner.admit()) == "0 of 1"


async def test_a_death_between_two_calls_is_told_until_the_next_process_is_up(setting: Made) -> None:
    model = setting.model("transcription")
    await setting.say(setting.runner.admit())
    pid = pid_of(setting.runner)
    assert pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: "SIGKILL" in (setting.runner.problem(model) or ""), 1.0)
    await until(lambda: setting.runner.problem(model) is None)
    assert setting.runner.state(model) == "loaded"
    assert pid_of(setting.runner) != pid


async def test_a_crash_loop_is_refused_and_ends(setting: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash_history, "FIRST_PAUSE_SECONDS", 0.05)
    model = setting.model("transcription")
    with pytest.raises(EngineDied):
        await setting.say(setting.runner.admit(), prompt="abort")
    for _ in range(2):
        with pytest.raises((EngineDied, EngineDown)) as raised:
            await setting.say(setting.runner.admit(), prompt="abort")
    told = from_engine(raised.value)
    assert isinstance(told, ModelUnavailable)
    assert told.status == 503
    assert told.retry_after
    assert told.retry_after >= 1
    assert "Fatal Python error: Aborted" in (setting.runner.problem(model) or "")
    await until(lambda: setting.runner.problem(model) is None)
    assert await setting.say(setting.runner.admit()) == "0 of 1"


@pytest.mark.slow
async def test_a_kill_each_second_costs_no_request(setting: Made) -> None:
    await setting.say(setting.runner.admit())
    killed = 0

    async def killer() -> None:
        nonlocal killed
        async for _ in ticks(1.0):
            if pid := pid_of(setting.runner):
                os.kill(pid, signal.SIGKILL)
                killed += 1

    killing = asyncio.create_task(killer())
    work = [setting.say(setting.runner.admit(), start=i, prompt="sleep:0.04") for i in range(100)]
    texts = await asyncio.wait_for(asyncio.gather(*work), 60)
    killing.cancel()
    assert [text.split()[0] for text in texts] == [str(i) for i in range(100)]
    assert killed >= 2


PARENT = """
import sys, time
from pathlib import Path
from app.runtime.processes_placement import ProcessesPlacement
from engines.types import EngineOptions
from engines.work import Order
from tests.support.scripted_engines import FINDER
if __name__ == "__main__":
    order = Order("transcription", "scripted", Path(sys.argv[1]), EngineOptions())
    host = ProcessesPlacement(FINDER).open(order)
    print(host._child.pid, flush=True)
    time.sleep(60)
"""


def test_a_server_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
        parent.wait()
    wait_until(lambda: is_gone(pid), 5.0)


def test_a_child_sees_neither_the_settings_nor_the_app() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import app.runtime.child_program"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    ours = {name for name in loaded if name.split(".")[0] == "app"}
    assert ours == {
        "app",
        "app.runtime",
        "app.runtime.child_program",
        "app.runtime.child_guard",
        "app.runtime.child_messages",
        "app.runtime.threads_placement",
        "app.runtime.windows_sent_ahead",
        "app.runtime.pipe",
        "app.runtime.shared_buffer",
    }
    assert not {"pydantic", "fastapi", "sqlalchemy", "av"} & {name.split(".")[0] for name in loaded}


async def test_a_child_is_ended_before_the_server_and_sees_no_secrets(
    setting: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_AUTH_KEYS", "sk-secret")
    await setting.say(setting.runner.admit())
    pid = pid_of(setting.runner)
    assert pid
    assert b"sk-secret" not in about(pid, "environ")
    assert about(pid, "oom_score_adj").strip() == b"500"


async def test_all_threads_of_a_child_give_way_to_the_server(setting: Made) -> None:
    await setting.say(setting.runner.admit())
    pid = pid_of(setting.runner)
    assert pid
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert priorities(pid) == {min(19, own + CHILD_NICENESS)}
