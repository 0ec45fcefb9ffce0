"""The result of one decoding, and whether it is good enough.

The measures and their thresholds are those of Radford et al. 2022, section 4.5. Law: pure.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

from engines.types import TranscribeOptions


@dataclass(frozen=True, slots=True)
class Decoded:
    """The result for one row."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """The log-probability of each token; empty unless the request asked for them."""
    avg_logprob: float
    """Mean log-probability of the tokens, the end token included."""
    no_speech_prob: float
    compression_ratio: float
    temperature: float
    beamed: bool = False
    """Whether a beam search followed the greedy one."""
    fell_back: bool = False
    """Whether fallback temperatures were used."""


def is_loop(decoded: Decoded, options: TranscribeOptions) -> bool:
    """Whether the text repeats itself so much that it is taken for a repetition loop."""
    return decoded.compression_ratio > options.compression_ratio_threshold


def without_loop(decoded: Decoded, options: TranscribeOptions) -> Decoded:
    """The result; without its text if it is a repetition loop."""
    return replace(decoded, tokens=(), logprobs=()) if is_loop(decoded, options) else decoded


def is_silence(decoded: Decoded, options: TranscribeOptions) -> bool:
    """Whether nobody speaks: silence is likely, and the text is unlikely, a loop, or was only sampled."""
    quiet = decoded.no_speech_prob > options.no_speech_threshold
    sampled = len(options.temperatures) > 1 and decoded.temperature > options.temperatures[0]
    unlikely = decoded.avg_logprob <= options.log_prob_threshold
    return quiet and (unlikely or sampled or is_loop(decoded, options))


def passes(decoded: Decoded, options: TranscribeOptions, min_logprob: float | None = None) -> bool:
    """Whether the result is good enough, so that no other search is needed. `min_logprob`: None means the
    threshold of the options.
    """
    unlikely = decoded.avg_logprob < (options.log_prob_threshold if min_logprob is None else min_logprob)
    return not is_loop(decoded, options) and (not unlikely or is_silence(decoded, options))


def best(results: list[Decoded], options: TranscribeOptions) -> Decoded:
    """The last result if it passes, else the one with the highest probability. A loop is used only if there
    is no other result.
    """
    if passes(results[-1], options):
        return results[-1]
    without_loops = [result for result in results if not is_loop(result, options)]
    return max(without_loops or results, key=lambda result: result.avg_logprob)


def compression_ratio(text: str) -> float:
    """Bytes of the text over bytes of its deflated form; repetition loops are above 2.4."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))
