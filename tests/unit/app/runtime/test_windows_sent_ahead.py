from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from app.runtime import windows_sent_ahead
from app.runtime.windows_sent_ahead import KeptRow, WindowBook, WindowKeeper
from engines.types import Pcm, TranscribeOptions, Window
from engines.work import Transcribe


def window(start: float = 0.0) -> Window:
    return Window(Pcm(np.zeros(16_000, np.float32)), start, "de", prompt="p", hotwords=("h",))


def transcribe(*windows: Window) -> Transcribe:
    return Transcribe(windows, TranscribeOptions())


def featured(given: Window) -> Window:
    return replace(given, features=np.full((2, 2), given.start, np.float32))


@pytest.fixture
def keeper() -> Iterator[WindowKeeper]:
    made = WindowKeeper(featured)
    yield made
    made.close()


def test_a_window_that_the_process_has_is_sent_as_a_number() -> None:
    book = WindowBook(24)
    kept, other = book.sent(window(1), 7), window(2)
    assert book.work(transcribe(kept, other)).rows == (KeptRow(7), other)


def test_another_process_gets_the_whole_window() -> None:
    kept = WindowBook(24).sent(window(1), 7)
    (row,) = WindowBook(24).work(transcribe(kept)).rows
    assert type(row) is Window
    assert (row.pcm, row.start, row.language, row.prompt, row.hotwords) == (kept.pcm, 1, "de", "p", ("h",))
    pickle.dumps(row)


def test_a_number_is_told_once_when_the_last_reference_is_gone() -> None:
    book = WindowBook(24)
    kept = book.sent(window(), 7)
    work = transcribe(kept)
    del kept
    assert book.unneeded() == ()
    del work
    assert (book.unneeded(), book.unneeded()) == ((7,), ())


def test_a_process_keeps_so_many_seconds_and_no_more() -> None:
    book = WindowBook(2.0)
    kept = [book.sent(window(), 1)]
    fullness = [book.full]
    kept.append(book.sent(window(), 2))
    fullness.append(book.full)
    kept.pop()
    fullness.append(book.full)
    book.unneeded()
    fullness.append(book.full)
    kept.append(book.sent(window(), 3))
    assert [*fullness, book.full] == [False, True, True, False, True]


def test_the_process_works_on_the_windows_that_it_prepared(keeper: WindowKeeper) -> None:
    keeper.keep(7, window(1))
    whole = keeper.work(transcribe(KeptRow(7), window(2)))()  # type: ignore[arg-type]  # as it comes out of the pipe
    first, second = whole.rows
    assert isinstance(first, Window)
    assert isinstance(second, Window)
    assert first.features is not None
    assert (first.start, first.features[0, 0]) == (1, 1)
    assert (second.start, second.features) == (2, None)


def test_work_that_began_keeps_a_window_that_is_forgotten(keeper: WindowKeeper) -> None:
    keeper.keep(7, window(1))
    work = keeper.work(transcribe(KeptRow(7)))  # type: ignore[arg-type]  # as above
    work()
    keeper.forget([7, 8])
    assert len(work().rows) == 1
    with pytest.raises(KeyError):
        keeper.work(transcribe(KeptRow(7)))  # type: ignore[arg-type]  # as above


def test_features_are_computed_beside_each_other_and_waited_for() -> None:
    both = threading.Barrier(2, timeout=10)

    def slow(given: Window) -> Window:
        both.wait()
        return featured(given)

    keeper = WindowKeeper(slow)
    for number in (1, 2):
        keeper.keep(number, window(number))
    rows = keeper.work(transcribe(KeptRow(1), KeptRow(2)))().rows  # type: ignore[arg-type]  # as above
    assert [row.features is not None for row in rows if isinstance(row, Window)] == [True, True]
    keeper.close()


@pytest.mark.parametrize("failing", [ValueError, MemoryError])
def test_features_that_cannot_be_computed_are_left_to_the_work(failing: Callable[[], Exception]) -> None:
    def fails(_: Window) -> Window:
        raise failing()

    keeper = WindowKeeper(fails)
    keeper.keep(1, window())
    (row,) = keeper.work(transcribe(KeptRow(1)))().rows  # type: ignore[arg-type]  # as above
    assert isinstance(row, Window)
    assert row.features is None
    keeper.close()


@pytest.mark.parametrize(
    ("device", "cores", "threads"), [("cpu", 64, 2), ("cuda", 1, 2), ("cuda", 8, 8), ("cuda", 128, 16)]
)
def test_a_gpu_gets_its_features_from_many_threads(
    device: str, cores: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert windows_sent_ahead.feature_threads(device) == threads
