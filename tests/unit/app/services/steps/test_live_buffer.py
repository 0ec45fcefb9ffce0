"""The sound that a live session keeps: any stretch of it can be read, whatever was dropped before."""

from __future__ import annotations

import numpy as np
import pytest

from app.services.steps.live_buffer import BLOCK_FRAMES, SoundBuffer

FRAME = 512
BLOCK = FRAME * BLOCK_FRAMES


def recorded(buffer: SoundBuffer, seconds: float, piece: int) -> np.ndarray:
    """Adds sound to the buffer in pieces of `piece` samples, and returns all of it."""
    sound = np.random.default_rng(1).integers(-30_000, 30_000, int(seconds * 16_000)).astype(np.int16)
    for at in range(0, len(sound), piece):
        part = sound[at : at + piece]
        count = (at + len(part)) // FRAME - buffer.frames
        buffer.add(part, np.full(count, buffer.frames / 1000, np.float32))
    return sound


@pytest.mark.parametrize("piece", [1600, FRAME, 333, BLOCK, 3 * BLOCK + 7])
def test_what_was_added_is_read_again(piece: int) -> None:
    buffer = SoundBuffer(FRAME)
    sound = recorded(buffer, 5, piece)
    assert buffer.end == len(sound)
    for start, end in ((0, len(sound)), (5, 6), (BLOCK - 1, BLOCK + 1), (BLOCK, 2 * BLOCK), (70_000, 99_999)):
        assert np.array_equal(buffer.sound(start, end) * 32_768, sound[start:end])


def test_dropped_sound_is_gone_and_the_rest_keeps_its_position() -> None:
    buffer = SoundBuffer(FRAME)
    sound = recorded(buffer, 5, 1600)
    for position in (100, FRAME, BLOCK + 3, BLOCK + 3, 3 * BLOCK - 1):
        buffer.drop(position)
        first = position // FRAME * FRAME
        assert np.array_equal(buffer.sound(0, len(sound)) * 32_768, sound[first:])
        assert buffer.seconds == (len(sound) - first) / 16_000
        assert len(buffer.chances(0, buffer.frames)) == buffer.frames - first // FRAME
    assert len(buffer.sound(0, BLOCK)) == 0


def test_a_full_buffer_is_kept_with_two_bytes_a_sample() -> None:
    buffer = SoundBuffer(FRAME)
    recorded(buffer, 60, 1600)
    kept = sum(block.nbytes for block in buffer._blocks)
    assert kept <= 60 * 32_000 + BLOCK * 2
    buffer.drop(buffer.end)
    assert sum(block.nbytes for block in buffer._blocks) <= BLOCK * 2


@pytest.mark.parametrize("before", [0, 333, 1600, BLOCK, 2 * BLOCK + 700])
@pytest.mark.parametrize("skipped", [1, 31, 32, 100_000])
def test_skipped_sound_takes_time_and_no_memory(before: int, skipped: int) -> None:
    buffer = SoundBuffer(FRAME)
    if before:
        buffer.add(np.ones(before, np.int16), np.zeros(before // FRAME, np.float32))
    buffer.skip(skipped)
    assert buffer.end == before + skipped * FRAME
    assert buffer.frames == before // FRAME + skipped
    assert buffer.seconds * 16_000 == before % FRAME
    start = buffer.end
    buffer.add(np.full(BLOCK, 7, np.int16), np.zeros((before % FRAME + BLOCK) // FRAME, np.float32))
    assert np.array_equal(buffer.sound(start, start + BLOCK) * 32_768, np.full(BLOCK, 7))
    assert buffer.end == start + BLOCK
