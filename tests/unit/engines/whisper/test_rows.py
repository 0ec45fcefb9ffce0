"""Adaptive windows: their length, which results are doubtful, and that a doubtful result leaves nothing
behind.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from hypothesis import given
from hypothesis import strategies as st

from engines.types import LanguageGuess, Pcm, TranscribeOptions, Window
from engines.whisper.decoding_quality import Decoded, without_loop
from engines.whisper.rows import (
    COARSE_GRID_FRAMES,
    ENCODED_GRID_FRAMES,
    FULL_FRAMES,
    GRID_FRAMES,
    LONG_FRAMES,
    LONG_PADDING_FRAMES,
    PADDING_FRAMES,
    Row,
    doubtful,
    most_tokens,
)
from tests.conftest import JFK
from tests.support.sound import decode

T = 1000
OPTIONS = TranscribeOptions()


def window(seconds: float) -> Window:
    return Window(Pcm(np.zeros(int(16_000 * seconds), np.float32)))


def row(seconds: float, probability: float = 0.9, padding: int | None = PADDING_FRAMES) -> Row:
    features = np.ones((80, round(100 * seconds)), np.float32)
    return Row(window(seconds), features, LanguageGuess("en", probability), padding)


@pytest.mark.parametrize(
    ("seconds", "size"), [(0.5, 800), (4, 800), (11, 1600), (23.9, 2800), (24.1, 3000), (30, 3000)]
)
def test_the_encoder_is_given_what_there_is_and_four_seconds(seconds: float, size: int) -> None:
    assert row(seconds).size == size
    assert row(seconds).piece(size).shape == (80, size)
    assert row(seconds).encoded == size
    assert row(seconds, padding=None).size == FULL_FRAMES


@pytest.mark.parametrize(
    ("seconds", "encoded", "size", "full"),
    [
        (0.5, 500, 1000, False),
        (4.1, 900, 1000, False),
        (11, 1500, 2000, False),
        (14.99, 1900, 2000, False),
        (15, 1600, 2000, False),
        (16.01, 1800, 3000, False),
        (25.4, 2700, 3000, False),
        (28.9, 3000, 3000, True),
        (30, 3000, 3000, True),
    ],
)
def test_the_encoder_is_given_less_than_the_decoder(
    seconds: float, encoded: int, size: int, full: bool
) -> None:
    tight = row(seconds)
    tight.grid, tight.tight = COARSE_GRID_FRAMES, True
    assert (tight.encoded, tight.size, tight.full) == (encoded, size, full)
    tight.retry_in_full()
    assert (tight.encoded, tight.size, tight.full) == (FULL_FRAMES, FULL_FRAMES, True)


@given(st.integers(1, FULL_FRAMES), st.sampled_from((GRID_FRAMES, COARSE_GRID_FRAMES)))
def test_the_encoder_is_never_given_more_than_the_decoder(frames: int, grid: int) -> None:
    tight = Row(window(1), np.zeros((80, frames), np.float32), None, PADDING_FRAMES, grid, tight=True)
    assert frames <= tight.encoded <= tight.size <= FULL_FRAMES
    padding = LONG_PADDING_FRAMES if frames >= LONG_FRAMES else PADDING_FRAMES
    assert tight.encoded - frames >= min(padding, FULL_FRAMES - frames)
    assert tight.encoded - frames < PADDING_FRAMES + ENCODED_GRID_FRAMES


def test_what_is_filled_up_looks_like_silence_beside_the_sound() -> None:
    quiet, loud = row(1), row(1)
    quiet.features = np.full((80, 100), -1.5, np.float32)
    loud.features = np.linspace(-0.4, 1.6, 8000, dtype=np.float32).reshape(80, 100)
    assert np.all(quiet.piece(600) == np.float32(-1.5))
    assert np.allclose(loud.piece(600)[:, 100:], -0.4)


def test_silence_is_what_whisper_sees_where_sound_was_filled_up() -> None:
    """Our features of speech alone, filled up, are those that Whisper has of speech followed by silence."""
    extract = FeatureExtractor()
    speech = decode(JFK.read_bytes())
    whole = np.asarray(extract(np.pad(speech, (0, 5 * 16_000))))
    mine = Row(Window(Pcm(speech)), np.asarray(extract(speech), np.float32), None, PADDING_FRAMES)
    count = len(speech) // 160
    assert np.allclose(mine.piece(1500)[:, count + 3 :], whole[:, count + 3 : 1500], atol=1e-3)


class Letters:
    eot = 900
    timestamps = T

    def decode(self, tokens: Any) -> str:
        return "".join(chr(token) for token in tokens if token < self.eot)


def decoded(*tokens: int, avg_logprob: float = -0.2, ratio: float = 1.2) -> Decoded:
    return Decoded(tokens, (), avg_logprob, 0.01, ratio, 0.0)


GOOD = decoded(T, *map(ord, "hello"), T + 240)


@pytest.mark.parametrize(
    ("found", "doubted"),
    [
        (GOOD, False),
        (decoded(T, *map(ord, "hello"), T + 240, ratio=3.0), True),
        (decoded(T, *map(ord, "hello"), T + 240, avg_logprob=-1.1), True),
        (decoded(T, *map(ord, "x" * 120), T + 240), True),
        (decoded(T, *map(ord, "hello"), T + 60), True),
        (decoded(T, T), True),
        (decoded(), True),
    ],
)
def test_what_is_doubted(found: Decoded, doubted: bool) -> None:
    assert doubtful(row(5), found, OPTIONS, Letters()) is doubted
    assert not doubtful(row(5, padding=None), found, OPTIONS, Letters())


def test_an_unsure_language_is_doubted_before_anything_is_decoded() -> None:
    assert not row(5, 0.9).unsure_of_language
    assert row(5, 0.4).unsure_of_language
    assert not row(5, 0.4, padding=None).unsure_of_language, "no longer encoding is left to try"


def test_a_doubted_round_leaves_no_trace() -> None:
    tried = row(5)
    tried.retry_in_full()
    assert tried.unfinished
    assert (tried.seek, tried.segments, tried.said, tried.language) == (0, [], [], None)
    assert tried.size == FULL_FRAMES
    assert tried.cost.reencoded == 1


def test_a_known_language_is_kept() -> None:
    german = replace(window(1), language="de")
    tried = Row(german, np.ones((80, 100), np.float32), LanguageGuess("de", 1.0))
    tried.retry_in_full()
    assert tried.language == LanguageGuess("de", 1.0)


def test_more_tokens_than_speech_can_have_are_a_loop() -> None:
    assert most_tokens(400) == 10 + 15 * 4
    five = row(5)
    fast = decoded(T, *([ord("x")] * (most_tokens(500) - 2)), T + 240)
    assert not doubtful(five, fast, OPTIONS, Letters())
    assert doubtful(five, decoded(T, *fast.tokens), OPTIONS, Letters())


def test_only_two_rounds_of_a_window_may_fall_back() -> None:
    long = row(30)
    assert long.may_fall_back
    long.spent(fallbacks=2)
    assert not long.may_fall_back


def test_drafts_have_no_loops() -> None:
    loop = Decoded((1, 2), (), 0.0, 0.0, 9.0, 0.0)
    assert without_loop(loop, TranscribeOptions()).tokens == ()
    assert without_loop(replace(loop, compression_ratio=1.0), TranscribeOptions()).tokens == (1, 2)
