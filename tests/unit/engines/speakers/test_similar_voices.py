"""Local speakers of a window are told apart by the vectors of their runs."""

from __future__ import annotations

import numpy as np

from engines.speakers.similar_voices import Mask, RunBook, local_speakers
from engines.types import Samples

FRAME = 0.02


def mask(*spans: tuple[float, float], seconds: float = 10.0) -> Mask:
    found = np.zeros(round(seconds / FRAME), bool)
    for start, end in spans:
        found[round(start / FRAME) : round(end / FRAME)] = True
    return found


class Voices:
    """An embedding function that knows who really speaks when, and counts its calls."""

    def __init__(self, *spans: tuple[float, float, int]) -> None:
        self.spans = spans
        self.asked: list[float] = []

    def __call__(self, frames: Mask) -> Samples:
        self.asked.append(float(frames.sum() * FRAME))
        at = np.flatnonzero(frames).mean() * FRAME
        vector = np.zeros(4, np.float32)
        vector[next(who for start, end, who in self.spans if start <= at <= end)] = 1.0
        return vector


def test_one_local_speaker_who_is_two_becomes_two() -> None:
    active = np.stack([mask((0, 3), (4, 7))], axis=1)
    voices = Voices((0, 3.5, 0), (3.5, 10, 1))
    found = local_speakers(active, 0.0, FRAME, RunBook(), voices)
    assert [round(float(speaker.frames.sum() * FRAME), 1) for speaker in found] == [3.0, 3.0]
    assert not (found[0].frames & found[1].frames).any()


def test_one_who_is_one_stays_one_and_short_runs_join_the_nearest() -> None:
    active = np.stack([mask((0, 3), (4, 7), (7.4, 7.7))], axis=1)
    found = local_speakers(active, 0.0, FRAME, RunBook(), Voices((0, 10, 0)))
    assert len(found) == 1
    assert (found[0].frames == active[:, 0]).all()


def test_overlap_is_not_listened_to_but_belongs_to_both() -> None:
    active = np.stack([mask((0, 5)), mask((4, 9))], axis=1)
    voices = Voices((0, 4.5, 0), (4.5, 10, 1))
    found = local_speakers(active, 0.0, FRAME, RunBook(), voices)
    assert len(found) == 2
    assert all((speaker.frames == active[:, i]).all() for i, speaker in enumerate(found))
    assert round(sum(voices.asked), 1) == 8.0


def test_a_run_that_windows_share_is_heard_once() -> None:
    book, voices = RunBook(), Voices((0, 10, 0))
    local_speakers(np.stack([mask((3, 6))], axis=1), 0.0, FRAME, book, voices)
    heard = len(voices.asked)
    local_speakers(np.stack([mask((0.5, 3.5))], axis=1), 2.5, FRAME, book, voices)
    assert len(voices.asked) == heard


def test_of_a_run_that_the_window_cuts_only_whole_pieces_are_heard() -> None:
    """The rest of the run is in a neighbouring window, which has the whole piece."""
    voices = Voices((0, 10, 0))
    local_speakers(np.stack([mask((0, 4.6), (5.5, 6.5), (8, 10))], axis=1), 2.5, FRAME, RunBook(), voices)
    assert sorted(round(length, 1) for length in voices.asked) == [1.0, 1.1, 1.5, 1.5, 1.5]
    voices.asked.clear()
    local_speakers(np.stack([mask((0, 4.6))], axis=1), 0.0, FRAME, RunBook(), voices)
    assert sorted(round(length, 1) for length in voices.asked) == [1.5, 1.5, 1.6], (
        "nothing is before the audio"
    )


def test_a_run_that_the_window_cuts_is_part_of_a_run_that_was_heard() -> None:
    book, voices = RunBook(), Voices((0, 10, 0))
    local_speakers(np.stack([mask((1, 3.4))], axis=1), 0.0, FRAME, book, voices)
    heard = len(voices.asked)
    local_speakers(np.stack([mask((0, 0.9))], axis=1), 2.5, FRAME, book, voices)
    assert len(voices.asked) == heard
    local_speakers(np.stack([mask((0.1, 0.9))], axis=1), 2.5, FRAME, book, voices)
    assert len(voices.asked) == heard + 1, "a short run that is not cut may be another speaker's"


def test_a_change_without_a_pause_is_heard() -> None:
    found = local_speakers(
        np.stack([mask((0, 8))], axis=1), 0.0, FRAME, RunBook(), Voices((0, 4.5, 0), (4.5, 10, 1))
    )
    assert [round(float(speaker.frames.sum() * FRAME), 1) for speaker in found] == [4.5, 3.5]


def test_too_little_speech_has_no_vector() -> None:
    found = local_speakers(np.stack([mask((1, 1.1))], axis=1), 0.0, FRAME, RunBook(), Voices((0, 10, 0)))
    assert found[0].vector is None
