"""Windows cover the speech, never overlap, and are cut in silence, whatever the sizes of the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.audio.cut_windows import FRAME_SAMPLES, Cut, CutRules, WindowCutter
from engines.types import SAMPLE_RATE

RULES = CutRules()
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE


def cut_all(chances: list[float], block: int, rest: int = 0, rules: CutRules = RULES) -> list[Cut]:
    """All windows of an audio of `len(chances)` frames and `rest` samples, fed `block` frames at a time."""
    samples = np.random.default_rng(1).normal(0, 0.1, len(chances) * FRAME_SAMPLES + rest).astype(np.float32)
    cutter, cuts = WindowCutter(rules), []
    for at in range(0, len(chances), block):
        piece = np.array(chances[at : at + block], np.float32)
        cuts += cutter.feed(samples[at * FRAME_SAMPLES : (at + len(piece)) * FRAME_SAMPLES], piece)
    cuts += cutter.feed(samples[len(chances) * FRAME_SAMPLES :], np.zeros(0, np.float32))
    return cuts + cutter.flush(np.full(1, chances[-1] if chances else 0.0, np.float32) if rest else None)


# Stretches of speech and silence, in frames of 32 ms, up to some minutes.
stretches = st.lists(st.tuples(st.booleans(), st.integers(1, 1500)), max_size=12).map(
    lambda runs: [0.9 if speech else 0.05 for speech, length in runs for _ in range(length)]
)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(stretches, st.integers(1, 700), st.integers(0, FRAME_SAMPLES - 1))
def test_windows_cover_the_speech_and_never_overlap(chances: list[float], block: int, rest: int) -> None:
    cuts = cut_all(chances, block, rest)
    covered = np.zeros(len(chances) + 1, bool)
    end = 0.0
    for cut in cuts:
        length = len(cut.samples) / SAMPLE_RATE
        assert 0 < length <= RULES.longest + FRAME_SECONDS
        assert cut.start >= end - 1e-6
        end = cut.start + length
        covered[round(cut.start / FRAME_SECONDS) : round(end / FRAME_SECONDS)] = True
    speech = np.array([*chances, 0.0]) > 0.5
    missed = speech & ~covered
    # Less than 0.1 s of speech alone counts as noise.
    assert not _long_runs(missed, 4)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(stretches, st.integers(1, 700), st.integers(1, 700))
@example([0.05] * 2 + [0.9] * 1144 + [0.05] * 710, 1, 619)
def test_windows_do_not_depend_on_the_blocks(chances: list[float], one: int, other: int) -> None:
    first, second = cut_all(chances, one), cut_all(chances, other)
    assert [(c.start, len(c.samples)) for c in first] == [(c.start, len(c.samples)) for c in second]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first, second, strict=True))


def test_silence_gives_no_window() -> None:
    assert cut_all([0.0] * 10_000, 156) == []


def test_memory_is_bounded_in_silence_and_in_speech() -> None:
    for chance in (0.0, 0.9):
        cutter = WindowCutter(RULES)
        for _ in range(400):
            cutter.feed(np.zeros(156 * FRAME_SAMPLES, np.float32), np.full(156, chance, np.float32))
            assert len(cutter._samples) / SAMPLE_RATE < RULES.longest + 6


def test_a_long_speech_is_cut_in_its_pause() -> None:
    speech, pause = [0.9] * 700, [0.05] * 20
    cuts = cut_all(speech + pause + speech, 156)
    assert len(cuts) == 2
    end = cuts[0].start + len(cuts[0].samples) / SAMPLE_RATE
    assert 700 * FRAME_SECONDS <= end <= cuts[1].start <= 720 * FRAME_SECONDS


def test_a_speech_without_pause_is_cut_where_it_is_quietest() -> None:
    samples = np.ones(1200 * FRAME_SAMPLES, np.float32)
    samples[880 * FRAME_SAMPLES : 890 * FRAME_SAMPLES] = 0.001
    cuts = WindowCutter(RULES).feed(samples, np.full(1200, 0.9, np.float32))
    end = cuts[0].start + len(cuts[0].samples) / SAMPLE_RATE
    assert 880 * FRAME_SECONDS <= end <= 890 * FRAME_SECONDS


def test_a_long_pause_ends_a_window() -> None:
    speech, pause = [0.9] * 50, [0.05] * 200
    cuts = cut_all(pause + speech + pause + speech + pause, 100)
    assert len(cuts) == 2
    assert cuts[0].start == pytest.approx(200 * FRAME_SECONDS - RULES.padding, abs=FRAME_SECONDS)


def _long_runs(mask: np.ndarray, frames: int) -> bool:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return any(b - a >= frames for a, b in edges.reshape(-1, 2))
