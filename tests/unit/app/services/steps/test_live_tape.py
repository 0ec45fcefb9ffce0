"""The sound that a live session keeps: any stretch of it can be read, whatever was dropped before."""

from __future__ import annotations

import numpy as np
import pytest

from app.services.steps.live_tape import BLOCK_FRAMES, Tape

FRAME = 512
BLOCK = FRAME * BLOCK_FRAMES


def recorded(tape: Tape, seconds: float, piece: int) -> np.ndarray:
    """What was added, in pieces of so many samples."""
    sound = np.random.default_rng(1).integers(-30_000, 30_000, int(seconds * 16_000)).astype(np.int16)
    for at in range(0, len(sound), piece):
        part = sound[at : at + piece]
        count = (at + len(part)) // FRAME - tape.frames
        tape.add(part, np.full(count, tape.frames / 1000, np.float32))
    return sound


@pytest.mark.parametrize("piece", [1600, FRAME, 333, BLOCK, 3 * BLOCK + 7])
def test_what_was_added_is_read_again(piece: int) -> None:
    tape = Tape(FRAME)
    sound = recorded(tape, 5, piece)
    assert tape.end == len(sound)
    for start, end in ((0, len(sound)), (5, 6), (BLOCK - 1, BLOCK + 1), (BLOCK, 2 * BLOCK), (70_000, 99_999)):
        assert np.array_equal(tape.sound(start, end) * 32_768, sound[start:end])


def test_dropped_sound_is_gone_and_the_rest_keeps_its_position() -> None:
    tape = Tape(FRAME)
    sound = recorded(tape, 5, 1600)
    for position in (100, FRAME, BLOCK + 3, BLOCK + 3, 3 * BLOCK - 1):
        tape.drop(position)
        first = position // FRAME * FRAME
        assert np.array_equal(tape.sound(0, len(sound)) * 32_768, sound[first:])
        assert tape.seconds == (len(sound) - first) / 16_000
        assert len(tape.chances(0, tape.frames)) == tape.frames - first // FRAME
    assert len(tape.sound(0, BLOCK)) == 0


def test_a_full_buffer_is_kept_with_two_bytes_a_sample() -> None:
    tape = Tape(FRAME)
    recorded(tape, 60, 1600)
    kept = sum(block.nbytes for block in tape._blocks)
    assert kept <= 60 * 32_000 + BLOCK * 2
    tape.drop(tape.end)
    assert sum(block.nbytes for block in tape._blocks) <= BLOCK * 2
