"""When the tokens of a text are heard: dynamic time warping over the attention of some heads.

As in OpenAI's Whisper (`find_alignment` in whisper/timing.py) and in CTranslate2 4.8: the attention of the
heads that follow the sound is normalised over the tokens, smoothed over time, and averaged; the path through
it that has most attention tells the position of each token.

Law: pure; numbers in, numbers out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.whisper.timestamp_rules import Floats

SMOOTHED_POSITIONS = 7
"""Positions of which the median is taken."""
# Devillard 1998, Fast median search: after these exchanges, the median is at place 3.
_MEDIAN_EXCHANGES = (
    (0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AlignedText:
    """The result for one row, as CTranslate2 gives it (`WhisperAlignmentResult`)."""

    alignments: list[tuple[int, int]]
    """Pairs of a token's index and an encoder position."""
    text_token_probs: list[float]


def attention(queries: Floats, keys: Floats) -> Floats:
    """The share of each position in what a head attends to: (tokens, positions).

    `queries` (tokens, width of a head), scaled; `keys` (positions, width of a head).
    """
    logits = queries @ keys.T
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def path(heads: Sequence[Floats], tokens: slice) -> list[tuple[int, int]]:
    """The token and the position of each step of the path.

    `heads`: the attention of each head, (tokens, positions). `tokens`: those whose positions are looked for.
    """
    total = sum(smoothed(normalised(head)[tokens]) for head in heads)
    return cheapest_path(-np.asarray(total, np.float64) / len(heads))


def normalised(head: Floats) -> Floats:
    """The attention to each position with a mean of 0 over the tokens, and a deviation of 1."""
    deviation = head.std(axis=0, keepdims=True)
    return np.asarray((head - head.mean(axis=0, keepdims=True)) / np.maximum(deviation, 1e-20), np.float32)


def smoothed(values: Floats) -> Floats:
    """The median over the neighbours of each position (tokens, positions). The ends are mirrored."""
    positions, beside = values.shape[1], SMOOTHED_POSITIONS // 2
    if positions <= beside:
        return values
    wide = np.pad(values, ((0, 0), (beside, beside)), mode="reflect")
    lanes = [wide[:, at : at + positions] for at in range(SMOOTHED_POSITIONS)]
    for low, high in _MEDIAN_EXCHANGES:
        lanes[low], lanes[high] = np.minimum(lanes[low], lanes[high]), np.maximum(lanes[low], lanes[high])
    return lanes[beside]


def cheapest_path(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The way from the first to the last cell of (tokens, positions) with the least costs in sum. A step goes
    to the next token, to the next position, or to both.

    The sums of a line follow from those of the line before without a loop: reached from above at place k, a
    cell costs above[k] - before[k] + sums[j], where `sums` are those of the line's own costs.
    """
    tokens, positions = costs.shape
    totals = np.full((tokens + 1, positions + 1), np.inf)
    totals[0, 0] = 0
    for token, line in enumerate(costs):
        above = np.minimum(totals[token, 1:], totals[token, :-1])
        sums = np.cumsum(line)
        totals[token + 1, 1:] = sums + np.minimum.accumulate(above - (sums - line))
    found, token, position = list[tuple[int, int]](), tokens, positions
    while token > 0 and position > 0:
        found.append((token - 1, position - 1))
        both, up = totals[token - 1, position - 1], totals[token - 1, position]
        back = totals[token, position - 1]
        if both < up and both < back:
            token, position = token - 1, position - 1
        elif up < both and up < back:
            token -= 1
        else:
            position -= 1
    return found[::-1]
