"""How `bench_stt` evaluates pairs of measurements, and how it sorts recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench import stt_pairs
from bench.bench_stt import commit
from bench.stt_pairs import Goal, Spent, compared
from bench.stt_sides import FILE, STORY, read_clips
from tests.support.sound import RATE, noise, wav


def test_each_side_is_first_in_every_second_pair_and_warm_before() -> None:
    order: list[str] = []

    def side(name: str, *seconds: float) -> Callable[[int], Spent]:
        def heard(turn: int) -> Spent:
            order.append(f"{name}{turn}")
            return Spent(seconds[turn], 2 * seconds[turn])

        return heard

    found = compared(3, side("a", 1, 2, 9), side("b", 2, 2, 3))
    assert order == ["a0", "b0", "b0", "a0", "a1", "b1", "b2", "a2"]
    assert (found.time, found.cpu) == (1.0, 1.0)
    assert found.seconds == "(2.00 s / 2.00 s)"
    assert found.cpu_seconds == "(4.00 s / 4.00 s)"


@pytest.mark.parametrize(
    ("goal", "value", "told"),
    [
        (Goal("time", "<=", 0.5), 0.61, "| time | 0.61  | goal <= 0.5 MISSED |"),
        (Goal("words", ">=", 1.0), 1.02, "| words | 1.02  | goal >= 1 met |"),
        (Goal("size", unit="GB"), 2.0, "| size | 2 GB | no goal |"),
    ],
)
def test_a_line_says_whether_the_goal_is_met(goal: Goal, value: float, told: str) -> None:
    assert goal.line(value) == told


def test_the_longest_recording_makes_the_long_file_and_short_ones_are_clips(tmp_path: Path) -> None:
    for name, seconds in (("short", 5), ("call", FILE + 1), ("long", STORY + 1)):
        (tmp_path / f"{name}.wav").write_bytes(wav(noise(seconds, 0.01)))
    speech = read_clips(tmp_path)
    assert [len(clip) for clip in speech.pieces] == [5 * RATE]
    assert sorted(speech.files) == ["call", "long"]
    assert [len(sound) for sound in speech.story] == [(STORY + 1) * RATE]
    assert len(speech.lone()) == 1
    assert len(speech.long(10)) == 10 * RATE


def test_without_a_long_recording_the_clips_make_the_long_file(tmp_path: Path) -> None:
    (tmp_path / "one.wav").write_bytes(wav(np.zeros(4 * RATE, np.float32)))
    speech = read_clips(tmp_path)
    assert (len(speech.story), speech.files) == (1, {})


def test_what_nobody_can_tell_is_the_time_of_the_clock() -> None:
    class Far:
        def cpu(self) -> None:
            return None

    took = stt_pairs.spent(Far(), lambda: None)
    assert took.cpu == took.seconds >= 0


def test_the_commit_is_named() -> None:
    assert commit()
