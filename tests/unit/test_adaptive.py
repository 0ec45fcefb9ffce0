"""Adaptive windows: how long they are, what is doubted, and that a doubted result leaves no trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.types import LanguageGuess, Pcm, TranscribeOptions, Window
from engines.whisper_ladder import Decoded
from engines.whisper_rows import FRAMES, Row, doubtful

T = 1000
OPTIONS = TranscribeOptions()


def row(seconds: float, probability: float = 0.9, full: bool = False) -> Row:
    window = Window(Pcm(np.zeros(int(16_000 * seconds), np.float32)))
    features = np.ones((80, int(100 * seconds)), np.float32)
    return Row(window, features, LanguageGuess("en", probability), full=full)


@pytest.mark.parametrize(("seconds", "size"), [(0.5, 800), (3, 1000), (11, 1800), (23.9, 3000), (30, 3000)])
def test_the_encoder_is_given_what_there_is_and_six_seconds(seconds: float, size: int) -> None:
    assert row(seconds).size == size
    assert row(seconds).piece().shape == (80, size)
    assert row(seconds, full=True).piece().shape == (80, FRAMES)


class Letters:
    eot = 900
    timestamps = T

    def decode(self, tokens: Any) -> str:
        return "".join(chr(token) for token in tokens if token < self.eot)


def decoded(*tokens: int, avg_logprob: float = -0.2, ratio: float = 1.2) -> Decoded:
    return Decoded(tokens, (), avg_logprob, 0.01, ratio, 0.0)


GOOD = decoded(T, *map(ord, "hello"), T + 240)


@pytest.mark.parametrize(
    ("found", "probability", "doubted"),
    [
        (GOOD, 0.9, False),
        (GOOD, 0.4, True),
        (decoded(T, *map(ord, "hello"), T + 240, ratio=3.0), 0.9, True),
        (decoded(T, *map(ord, "hello"), T + 240, avg_logprob=-0.6), 0.9, True),
        (decoded(T, *map(ord, "x" * 120), T + 240), 0.9, True),
        (decoded(T, *map(ord, "hello"), T + 60), 0.9, True),
        (decoded(T, T), 0.9, True),
        (decoded(), 0.9, True),
    ],
)
def test_what_is_doubted(found: Decoded, probability: float, doubted: bool) -> None:
    assert doubtful(row(5, probability), found, OPTIONS, Letters()) is doubted
    assert not doubtful(row(5, probability, full=True), found, OPTIONS, Letters())


def test_a_doubted_round_leaves_no_trace() -> None:
    tried = row(5)
    tried.retry_in_full()
    assert tried.unfinished
    assert (tried.seek, tried.segments, tried.said, tried.language) == (0, [], [], None)
    assert tried.size == FRAMES


def test_a_known_language_is_kept() -> None:
    window = Window(Pcm(np.zeros(16_000, np.float32)), language="de")
    tried = Row(window, np.ones((80, 100), np.float32), LanguageGuess("de", 1.0))
    tried.retry_in_full()
    assert tried.language == LanguageGuess("de", 1.0)
