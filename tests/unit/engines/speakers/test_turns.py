from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engines.speakers.segmentation import FRAME_SPAN, FRAME_STEP
from engines.speakers.turns import Frames

FRAMES = 589
STEP = 2.5
MIDDLE = FRAME_SPAN / 2


def windows(count: int, speakers: int = 1) -> np.ndarray:
    return np.zeros((count, FRAMES, speakers), bool)


def test_a_turn_begins_and_ends_in_the_middle_of_its_frames() -> None:
    active = windows(1)
    active[0, 100:200, 0] = True
    ((start, end, who),) = Frames(active, np.array([[0]]), 1, step=STEP).turns(10.0)
    assert who == 0
    assert [start, end] == pytest.approx([100 * FRAME_STEP + MIDDLE, 200 * FRAME_STEP + MIDDLE])


def test_turns_end_with_the_audio() -> None:
    active = windows(1)
    active[0, 500:, 0] = True
    ((_, end, _),) = Frames(active, np.array([[0]]), 1, step=STEP).turns(9.1)
    assert end == 9.1


def test_most_windows_decide() -> None:
    """Three windows hear the same second; two of them hear the second person."""
    active = windows(3)
    for number in range(3):
        begin = round((6.0 - number * STEP) / FRAME_STEP)
        active[number, begin : begin + 60, 0] = True
    turns = Frames(active, np.array([[0], [1], [1]]), 2, step=STEP).turns(15.0)
    assert [who for _, _, who in turns] == [1]
    assert turns[0][0] == pytest.approx(6.0 + MIDDLE, abs=FRAME_STEP)


def test_two_at_once_and_one_at_a_time() -> None:
    active = windows(1, 2)
    active[0, 0:300, 0] = active[0, 200:400, 1] = True
    frames = Frames(active, np.array([[0, 1]]), 2, step=STEP)
    both = frames.turns(10.0)
    assert [(round(start, 1), round(end, 1), who) for start, end, who in both] == [
        (0.0, 5.1, 0),
        (3.4, 6.8, 1),
    ]
    one = frames.turns(10.0, most=1)
    assert all(a[1] <= b[0] for a, b in pairwise(one))
    assert {who for _, _, who in one} == {0, 1}


def test_nobody_is_heard_where_nobody_has_a_cluster() -> None:
    active = windows(1, 2)
    active[0, 0:300, 0] = active[0, 400:500, 1] = True
    turns = Frames(active, np.array([[0, -1]]), 1, step=STEP).turns(10.0)
    assert [who for _, _, who in turns] == [0]


def test_flicker_is_no_turn() -> None:
    active = windows(1)
    active[0, 100:102, 0] = True
    assert Frames(active, np.array([[0]]), 1, step=STEP).turns(10.0) == []
