"""What a crash of a decoder costs: the upload that crashes it, nothing else."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import BinaryIO, cast

import numpy as np
import pytest

from app.audio import reader_task
from app.audio.reader_task import ReadOptions
from app.errors import ApiError, AudioTooLong, InternalError, NotAudio, RequestTimedOut
from app.runtime import read_stream, reader_pool
from app.runtime.blocking_work import WorkThreads
from app.runtime.meters import Meters
from app.runtime.read_stream import ReadStream
from app.runtime.reader_messages import Ended, ReaderOrder
from app.runtime.reader_pool import ReaderPool, ReaderRules
from app.services.steps.open_upload import open_source
from tests.conftest import JFK, ROOT
from tests.contract.test_processes import is_gone
from tests.support import scripted_reader
from tests.support.sound import caf, encode, tone, wav
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
LINES = ReaderOrder(scripted_reader.lines, scripted_reader.nothing)
FILES = ReaderOrder(reader_task.read, reader_task.warm)
RIGHT_BEFORE_LEFT = caf(tone(1.0), (2, 1))


class Readers(ReaderPool):
    """A pool that tests look into."""

    def __init__(self, order: ReaderOrder = LINES, *, count: int = 1, step_seconds: float = 60.0) -> None:
        self.meters = Meters()
        super().__init__(order, ReaderRules(count=count, step_seconds=step_seconds), self.meters)

    def stream(self, *lines: str, cancelled: Callable[[], bool] = lambda: False) -> ReadStream:
        return ReadStream(self, io.BytesIO("\n".join(lines).encode()), None, cancelled)

    def file(self, data: bytes) -> ReadStream:
        return ReadStream(self, io.BytesIO(data), ReadOptions(limit=100), lambda: False)

    @property
    def pids(self) -> list[int]:
        return [reader.started.result(20).pid for reader in self._readers if reader.alive]


@pytest.fixture
def pool() -> Iterator[Readers]:
    made = Readers()
    yield made
    made.close()


def rest(stream: ReadStream) -> list[object]:
    items: list[object] = []
    while not isinstance(item := stream.next_item(), Ended):
        items.append(item)
    stream.close()
    return items


def test_items_come_in_order_and_streams_share_a_reader(pool: Readers) -> None:
    one, two = pool.stream("a", "b"), pool.stream("c")
    assert (one.next_item(), two.next_item(), one.next_item()) == ("a", "c", "b")
    assert (one.next_item(), rest(two)) == (Ended(), [])
    assert len(pool.pids) == 1


@pytest.mark.parametrize("made", [TemporaryFile, SpooledTemporaryFile, io.BytesIO])
def test_a_large_upload_travels_as_a_file_where_it_is_one(
    pool: Readers, monkeypatch: pytest.MonkeyPatch, made: Callable[[], BinaryIO]
) -> None:
    monkeypatch.setattr(read_stream, "INLINE_BYTES", 10)
    text = [f"line {number}" for number in range(1000)]
    with made() as file:
        file.write("\n".join(text).encode())
        assert rest(ReadStream(pool, file, None, lambda: False)) == text
        assert rest(ReadStream(pool, file, None, lambda: False)) == text, "it stays open"


@pytest.mark.parametrize("script", ["abort", "segfault", "quit"])
def test_an_upload_that_crashes_its_decoder_fails_alone(pool: Readers, script: str) -> None:
    """One waits for its next item meanwhile, and one is being decoded in the same process."""
    idle, busy = pool.stream("a", "b", "c"), pool.stream("d", "sleep:0.5", "e")
    assert (idle.next_item(), busy.next_item()) == ("a", "d")
    with ThreadPoolExecutor(1) as threads:
        at_work = threads.submit(busy.next_item)
        with pytest.raises(NotAudio, match="crashed"):
            rest(pool.stream("x", script, "y"))
        assert at_work.result() == "sleep:0.5"
    assert (rest(idle), rest(busy)) == (["b", "c"], ["e"])
    counted = b'antiphon_child_restarts_total{device="cpu",model="reader",reason="crash"} 2.0'
    wait_until(lambda: counted in pool.meters.page())
    assert len(pool.pids) == 1, "no more than before"


def test_a_reader_that_was_only_there_is_not_blamed(pool: Readers, tmp_path: Path) -> None:
    assert rest(pool.stream(f"once:{tmp_path / 'crashed'}", "a")) == [f"once:{tmp_path / 'crashed'}", "a"]


def test_an_upload_beside_several_that_crash_is_not_blamed(pool: Readers, tmp_path: Path) -> None:
    steps = [f"once:{tmp_path / str(number)}" for number in range(3)]
    assert rest(pool.stream(*steps, "a")) == [*steps, "a"], "each step was done the second time"


def test_kills_from_outside_lose_and_double_nothing(pool: Readers) -> None:
    stream = pool.stream(*[f"{number}" for number in range(12)])
    items = []
    for _ in range(6):
        items += [stream.next_item(), stream.next_item()]
        os.kill(pool.pids[0], signal.SIGKILL)
    assert [*items, *rest(stream)] == [f"{number}" for number in range(12)]


@pytest.mark.parametrize("script", ["hang", "until cancelled"])
def test_a_cancelled_request_does_not_wait_for_its_decoder(pool: Readers, script: str) -> None:
    until = time.monotonic() + 0.3
    stream = pool.stream(script, cancelled=lambda: time.monotonic() > until)
    with pytest.raises(RequestTimedOut):
        stream.next_item()
    stream.close()
    assert rest(pool.stream("a")) == ["a"]


def test_uploads_that_hang_and_are_cancelled_keep_nobody_waiting(
    pool: Readers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reader_pool, "STOP_SECONDS", 0.3)
    long = pool.stream("a", "b", "c")
    assert long.next_item() == "a"
    (first,) = pool.pids
    for number in range(6):
        assert_cancelled(pool, tmp_path / str(number))
    assert rest(pool.stream("d")) == ["d"], "in whichever reader"
    wait_until(lambda: first not in pool.pids, 20, "the reader gets no further uploads")
    assert rest(pool.stream("e")) == ["e"]
    assert rest(long) == ["b", "c"], "it went on where it was"
    wait_until(lambda: not Path(f"/proc/{first}").exists(), 20, "and then the reader is ended")
    wait_until(lambda: b'reason="stuck"' in pool.meters.page(), 20)


def test_an_upload_in_a_retired_reader_goes_on_elsewhere_when_a_step_should_have_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reader_pool, "STOP_SECONDS", 0.2)
    pool = Readers(step_seconds=0.5)
    long = pool.stream("a", "b", "c")
    assert long.next_item() == "a"
    (first,) = pool.pids
    assert_cancelled(pool, tmp_path / "begun")
    wait_until(lambda: not Path(f"/proc/{first}").exists(), 20)
    assert rest(long) == ["b", "c"]
    pool.close()


def assert_cancelled(pool: Readers, begun: Path) -> None:
    """Cancels an upload whose decoder hangs, once it does."""
    stream = pool.stream(f"touch:{begun} hang", cancelled=begun.exists)
    with pytest.raises(RequestTimedOut):
        stream.next_item()
    stream.close()


def test_a_reader_that_is_killed_while_it_starts_costs_no_upload() -> None:
    for _ in range(5):
        pool = Readers(FILES)
        with ThreadPoolExecutor(1) as threads:
            upload = threads.submit(rest, pool.file(wav(tone(1))))
            wait_until(lambda: any(reader._process for reader in pool._readers))  # noqa: B023 - ends in this round
            (reader,) = pool._readers
            assert reader._process
            assert not reader.started.done(), "it imports FFmpeg"
            os.kill(reader._process.pid, signal.SIGKILL)
            assert len(upload.result(20)) == 2, "the length and the sound"
        pool.close()


def test_a_start_that_hangs_is_ended_and_a_cancelled_request_does_not_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Readers(ReaderOrder(scripted_reader.lines, scripted_reader.hang))
    leaving = pool.stream("a", cancelled=lambda: True)
    with pytest.raises(RequestTimedOut):
        leaving.next_item()
    leaving.close()
    monkeypatch.setattr(read_stream, "START_SECONDS", 0.2)
    stream = pool.stream("a")
    with pytest.raises(InternalError):
        stream.next_item()
    stream.close()
    wait_until(lambda: b'reason="stuck"} 2.0' in pool.meters.page())
    pool.close()


PARENT = """
import sys, time
from app.audio import reader_task
from app.runtime.reader_messages import ReaderOrder
from app.runtime.reader_pool import ReaderPool, ReaderRules
if __name__ == "__main__":
    pool = ReaderPool(ReaderOrder(reader_task.read, reader_task.warm), ReaderRules(count=1))
    reader = pool.lend(alone=False)
    if sys.argv[1] == "up":
        reader.started.result(20)
    while not reader._process:
        time.sleep(0.001)
    print(reader._process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("when", ["starting", "up"])
def test_a_server_that_is_killed_leaves_no_reader_behind(when: str) -> None:
    command = [sys.executable, "-c", PARENT, when]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    wait_until(lambda: is_gone(pid), 20)


def test_a_decoder_that_hangs_is_ended() -> None:
    pool = Readers(step_seconds=0.3)
    with pytest.raises(NotAudio):
        rest(pool.stream("a", "hang"))
    wait_until(lambda: b'reason="stuck"} 2.0' in pool.meters.page())
    pool.close()


def test_an_error_of_the_task_is_raised_as_itself(pool: Readers) -> None:
    with pytest.raises(AudioTooLong) as raised:
        rest(pool.stream("a", "too long"))
    assert str(raised.value) == str(AudioTooLong(7.0, 5.0))
    with pytest.raises(InternalError):
        rest(pool.stream("fail"))
    assert len(pool.pids) == 1


def test_a_reader_that_cannot_start_is_an_internal_error_and_not_the_file_s() -> None:
    pool = Readers(ReaderOrder(scripted_reader.lines, scripted_reader.broken))
    stream = pool.stream("a")
    with pytest.raises(InternalError):
        stream.next_item()
    stream.close()
    pool.close()


def test_as_many_readers_as_uploads_and_no_more_than_the_bound() -> None:
    pool = Readers(count=2)
    pool.start()
    wait_until(lambda: len(pool.pids) == 1)
    streams = [pool.stream("a", "b") for _ in range(5)]
    assert [stream.next_item() for stream in streams] == ["a"] * 5
    assert len(pool.pids) == 2
    assert [rest(stream) for stream in streams] == [["b"]] * 5
    pids = pool.pids
    pool.close()
    assert pool.pids == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.fixture(scope="module")
def decoding() -> Iterator[WorkThreads]:
    made = WorkThreads(1, None, ReaderPool(FILES, ReaderRules()))
    yield made
    made.close()


def sound_of(
    threads: WorkThreads, data: bytes, *, limit: float = 100
) -> tuple[float | None, float, list[int], bytes]:
    source = open_source(threads, io.BytesIO(data), limit=limit, cancelled=lambda: False)
    try:
        blocks = list(source.blocks())
        return (
            source.expected,
            source.seconds,
            [len(block) for block in blocks],
            np.concatenate(blocks).tobytes(),
        )
    finally:
        source.close()


@pytest.mark.parametrize(
    "data",
    [
        JFK.read_bytes(),
        wav(tone(12)),
        encode(tone(3), "mp3", "libmp3lame", 44_100, "stereo"),
        RIGHT_BEFORE_LEFT,
    ],
    ids=["flac", "wav", "mp3", "a list of channels"],
)
def test_a_reader_gives_the_same_sound(decoding: WorkThreads, data: bytes) -> None:
    assert sound_of(decoding, data) == sound_of(WorkThreads(1), data)


@pytest.mark.parametrize("data", [b"no sound", wav(tone(0.05)), wav(tone(9)), b"RIFF" + bytes(5000)])
def test_a_reader_raises_the_same_errors(decoding: WorkThreads, data: bytes) -> None:
    told = []
    for threads in (decoding, WorkThreads(1)):
        with pytest.raises(ApiError) as raised:
            sound_of(threads, data, limit=5)
        told.append((type(raised.value), raised.value.envelope(), raised.value.status))
    assert told[0] == told[1]


def test_a_real_double_free_in_ffmpeg_s_binding_is_the_error_of_its_upload() -> None:
    """The reader decodes without the check of `unsafe_layouts.py`, so the upload really crashes it."""
    pool = ReaderPool(ReaderOrder(scripted_reader.unchecked, reader_task.warm), ReaderRules(count=1))
    with ThreadPoolExecutor(2) as threads:
        good = ReadStream(pool, io.BytesIO(wav(tone(3))), ReadOptions(limit=100), lambda: False)
        bad = ReadStream(pool, io.BytesIO(RIGHT_BEFORE_LEFT), ReadOptions(limit=100), lambda: False)
        sound, crash = threads.submit(rest, good), threads.submit(rest, bad)
        with pytest.raises(NotAudio, match="crashed"):
            crash.result()
        assert sum(len(cast("np.ndarray", block)) for block in sound.result()[1:]) == 3 * 16_000
    pool.close()


def test_a_reader_loads_what_it_needs_and_no_more() -> None:
    code = "import app.runtime.reader_program, app.audio.reader_task; app.audio.reader_task.warm()"
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "av" in loaded
    assert not {"pydantic", "fastapi", "starlette", "sqlalchemy", "onnxruntime", "ctranslate2"} & loaded
