"""Arrays of one frame at a time in memory that two processes share."""

from __future__ import annotations

import os

import numpy as np
import pytest

from app.runtime.shared_buffer import FIRST_BYTE, SHARED_BYTES, SharedBuffer

WINDOW = np.arange(480_000, dtype=np.float32)


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
