"""The rules for timestamps, beside the same rules written for one text and the whole vocabulary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.whisper.timestamp_rules import (
    IMPOSSIBLE,
    Likeliest,
    NextTokens,
    TimestampRules,
    Vocabulary,
    log_probabilities,
)

KNOWN = Vocabulary(start=21, end=20, timestamps=28, size=40, suppressed=(3, 21, 25), first_timestamps=4)
TEXT, END, TIMES = 5, KNOWN.end, KNOWN.timestamps
RULES = TimestampRules(KNOWN)


def kind(logits: NDArray[np.float32], first: int) -> Likeliest:
    """All tokens of one kind, the likeliest first."""
    order = np.argsort(-logits, axis=1)
    total = np.log(np.exp(logits - logits.max()).sum(axis=1)) + logits.max()
    return Likeliest(np.take_along_axis(logits, order, 1), (order + first).astype(np.int32), total)


def probabilities(logits: NDArray[np.float32], said: list[int]) -> dict[int, float]:
    """The log-probabilities of the tokens that may follow."""
    logits = logits.astype(np.float32)[None].copy()
    allowed = RULES.allowed(np.array([said], np.int32).reshape(1, -1))
    logits[:, list(KNOWN.suppressed)] = IMPOSSIBLE
    logits[:, END:] += allowed.others
    parts = kind(logits[:, :END], 0), kind(logits[:, END:TIMES], END), kind(logits[:, TIMES:], TIMES)
    found, tokens = log_probabilities(NextTokens(*parts), allowed)
    return {int(t): float(p) for t, p in zip(tokens[0], found[0], strict=True) if p > IMPOSSIBLE / 2}


def expected(logits: NDArray[np.float32], said: list[int]) -> dict[int, float]:
    """The same as CTranslate2's `ApplyTimestampRules` and log-softmax compute it."""
    left = logits.astype(np.float64).copy()
    left[[*KNOWN.suppressed, TIMES - 1]] = -np.inf
    weigh = False
    if not said:
        left[:TIMES] = -np.inf
        left[TIMES + KNOWN.first_timestamps + 1 :] = -np.inf
    elif said[-1] >= TIMES:
        if (said[-2] if len(said) > 1 else said[-1]) >= TIMES:
            left[TIMES:] = -np.inf
        else:
            left[:END] = -np.inf
            left[TIMES : said[-1]] = -np.inf
            weigh = True
    else:
        weigh = True
        for token in reversed(said):
            if token >= TIMES:
                left[TIMES : token + 1] = -np.inf
                break
    if weigh and np.log(np.exp(left[TIMES:]).sum() + 1e-300) > left[:TIMES].max():
        left[:TIMES] = -np.inf
    left -= np.log(np.exp(left).sum())
    return {token: float(left[token]) for token in range(KNOWN.size) if np.isfinite(left[token])}


@st.composite
def texts(draw: st.DrawFn) -> list[int]:
    """Texts that keep the rules: timestamps in pairs that never decrease."""
    said: list[int] = []
    time = TIMES + draw(st.integers(0, 2))
    for _ in range(draw(st.integers(0, 3))):
        said += [time, *draw(st.lists(st.integers(4, 19), min_size=1, max_size=3))]
        time = min(time + draw(st.integers(1, 3)), KNOWN.size - 2)
        said.append(time)
    return said[: draw(st.integers(0, len(said)))]


@given(texts(), st.integers(0, 2**31), st.sampled_from([0.5, 4.0]))
def test_they_are_those_of_ctranslate2(said: list[int], seed: int, spread: float) -> None:
    logits = np.random.default_rng(seed).normal(0, spread, KNOWN.size).astype(np.float32)
    assert probabilities(logits, said) == pytest.approx(expected(logits, said), abs=1e-4)


def follows(said: list[int], **logits: float) -> set[int]:
    values = np.zeros(KNOWN.size, np.float32)
    for name, value in logits.items():
        values[int(name[1:])] = value
    return set(probabilities(values, said))


def test_a_text_begins_with_an_early_timestamp() -> None:
    assert follows([]) == set(range(TIMES, TIMES + 5))


def test_after_the_first_timestamp_there_is_text() -> None:
    assert follows([TIMES]) == {*range(END + 1), 22, 23, 24, 26} - {3, 21, 25}


def test_a_timestamp_that_ends_a_phrase_is_followed_by_another_or_by_the_end() -> None:
    assert follows([TIMES, 5, TIMES + 3], t20=9) == {20, 22, 23, 24, 26, *range(TIMES + 3, KNOWN.size)}


def test_likely_timestamps_exclude_text() -> None:
    """Twelve timestamps together are likelier than any word, each of them is not."""
    assert follows([TIMES, 5], t7=1) == set(range(TIMES + 1, KNOWN.size))
    assert 7 in follows([TIMES, 5], t7=4)
