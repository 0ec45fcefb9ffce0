"""A batch that does not fit into memory is halved, and no row is processed twice."""

from __future__ import annotations

import numpy as np
import pytest

from engines.types import Pcm, Segment, Window
from engines.whisper import memory_limit
from engines.whisper.memory_limit import RowLimit
from engines.whisper.rows import Row

OUT_OF_MEMORY = "CUDA failed with error out of memory"


def rows(count: int) -> list[Row]:
    return [
        Row(Window(Pcm(np.zeros(16_000, np.float32))), np.zeros((80, 100), np.float32), None)
        for _ in range(count)
    ]


class Device:
    """A fake device that takes so many rows at once. It fails in the middle of its work, when some rows were
    already changed.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.tried: list[int] = []

    def step(self, part: list[Row]) -> None:
        self.tried.append(len(part))
        for row in part:
            row.segments.append(Segment(0.0, 1.0, "a"))
            row.said.append(1)
            row.rounds += 1
        if len(part) > self.room:
            raise RuntimeError(OUT_OF_MEMORY)


@pytest.mark.parametrize(("count", "room"), [(32, 32), (32, 16), (32, 5), (7, 1), (1, 1)])
def test_every_row_is_done_once(count: int, room: int) -> None:
    limit, device, waiting = RowLimit(), Device(room), rows(count)
    limit.run(waiting, device.step)
    assert [(len(row.segments), len(row.said), row.rounds) for row in waiting] == [(1, 1, 1)] * count
    assert device.tried[-1] <= room


def test_the_limit_stays() -> None:
    limit, device = RowLimit(), Device(8)
    limit.run(rows(32), device.step)
    device.tried.clear()
    limit.run(rows(32), device.step)
    assert device.tried == [8, 8, 8, 8]


def test_it_grows_again_when_memory_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "ROUNDS_UNTIL_GROWTH", 3)
    limit, device = RowLimit(), Device(8)
    limit.run(rows(32), device.step)
    device.room = 32
    for _ in range(20):
        limit.run(rows(32), device.step)
    assert device.tried[-1] == 32


def test_one_row_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        RowLimit().run(rows(4), Device(0).step)


def test_other_failures_are_not_tried_again() -> None:
    tried = []

    def step(part: list[Row]) -> None:
        tried.append(len(part))
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        RowLimit().run(rows(4), step)
    assert tried == [4]
