"""Arrays of one frame at a time in memory that two processes share."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from app.runtime.shared_buffer import FIRST_BYTE, SHARED_BYTES, SharedBuffer

WINDOW = np.arange(480_000, dtype=np.float32)


def descriptors() -> int:
    """Open descriptors of this process."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def ends() -> tuple[SharedBuffer, SharedBuffer]:
    writer = SharedBuffer.create()
    assert writer
    return writer, SharedBuffer(os.dup(writer.file))


def test_arrays_are_copied_out_and_may_be_put_again_after_that(
    ends: tuple[SharedBuffer, SharedBuffer],
) -> None:
    writer, reader = ends
    window, odd = WINDOW.data, memoryview(bytes(range(99)))
    taken = []
    for _ in range(3):
        assert writer.takes([window, odd])
        number = writer.put([window, odd])
        assert not writer.takes([odd])
        taken += reader.take(number, [window.nbytes, odd.nbytes])
    assert writer.takes([odd])
    for array in taken[::2]:
        assert np.array_equal(np.frombuffer(array, np.float32), WINDOW)
    assert all(bytes(array) == bytes(odd) for array in taken[1::2])
    assert not taken[0].readonly


@pytest.mark.parametrize("size", [0, SHARED_BYTES - FIRST_BYTE + 1])
def test_no_arrays_and_too_large_ones_are_not_taken(
    ends: tuple[SharedBuffer, SharedBuffer], size: int
) -> None:
    assert not ends[0].takes([memoryview(bytes(size))])


def test_sizes_that_cannot_be_there_end_the_reading(ends: tuple[SharedBuffer, SharedBuffer]) -> None:
    with pytest.raises(EOFError):
        ends[1].take(1, [SHARED_BYTES])


def test_nonsense_of_the_reader_only_makes_it_look_taken(ends: tuple[SharedBuffer, SharedBuffer]) -> None:
    writer, reader = ends
    reader.take(2**64 - 1, [1])
    assert not writer.takes([memoryview(b"x")])


@pytest.mark.parametrize("size", [0, SHARED_BYTES // 2, 2 * SHARED_BYTES])
def test_no_process_can_change_the_size(ends: tuple[SharedBuffer, SharedBuffer], size: int) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(ends[1].file, size)
    assert os.fstat(ends[0].file).st_blocks * 512 >= SHARED_BYTES, "its pages exist"


@pytest.mark.slow
@pytest.mark.parametrize("call", ["memfd_create", "posix_fallocate"])
def test_without_such_memory_frames_go_through_the_socket(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def refuse(*_arguments: object) -> int:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(os, call, refuse)
    before = descriptors()
    assert SharedBuffer.create() is None
    assert descriptors() <= before


@pytest.mark.slow
def test_what_was_closed_leaves_no_descriptor() -> None:
    before = descriptors()
    shared = SharedBuffer.create()
    assert shared
    shared.close_file()
    shared.close()
    assert descriptors() <= before
