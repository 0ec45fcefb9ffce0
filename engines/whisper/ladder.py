"""The ladder of searches: greedy, with a beam, and warmer and warmer, until a result passes.

Radford et al. 2022, section 4.5; the greedy rung is ours (docs/decisions/0004). Law: each row of a batch
climbs by itself; a row that passes is not redone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engines.types import TranscribeOptions
from engines.whisper.tokens import WhisperTokens

MAX_LENGTH = 448
"""Decoder positions, prompt included."""
FIRST_TIMESTAMP = 50
"""The first timestamp is at most one second into the window (in steps of 0.02 s)."""
CANDIDATES = 5
"""Sequences sampled at temperatures above zero; the likeliest is kept."""


SURE = -0.35
"""Mean log-probability from which a greedy result needs no beam."""


@dataclass(frozen=True, slots=True)
class Search:
    """One rung."""

    temperature: float
    beams: int
    enough: float
    """Mean log-probability from which the result passes."""
    cheap: bool = False
    """Whether it is the greedy try before the beam."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one row became."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """One for each token, or none at all when not asked for."""
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float
    beamed: bool = False
    """Whether the greedy try was not enough."""
    warmed: bool = False
    """Whether nothing at the first temperature was."""


def ladder(options: TranscribeOptions, *, warm: bool, greedy: bool) -> tuple[Search, ...]:
    """`warm`: with the temperatures behind the first. `greedy`: with the cheap rung, if it is wanted."""
    temperatures = options.temperatures if warm else options.temperatures[:1]
    low = options.log_prob_threshold
    rungs = tuple(Search(t, 1 if t or options.logprobs else options.beam_size, low) for t in temperatures)
    if greedy and options.greedy_first and rungs[0].beams > 1:
        return (Search(0.0, 1, max(low, SURE), cheap=True), *rungs)
    return rungs


def is_silence(found: Decoded, options: TranscribeOptions) -> bool:
    """Sure about the silence, and unsure about the words: unlikely, looping, or found only by sampling."""
    quiet = found.no_speech_prob > options.no_speech_threshold
    sampled = len(options.temperatures) > 1 and found.temperature > options.temperatures[0]
    unlikely = found.avg_logprob <= options.log_prob_threshold
    return quiet and (unlikely or sampled or is_loop(found, options))


def is_loop(found: Decoded, options: TranscribeOptions) -> bool:
    return found.compression_ratio > options.compression_ratio_threshold


def passes(found: Decoded, options: TranscribeOptions, enough: float | None = None) -> bool:
    """`enough`: a mean log-probability; None: the one of the options."""
    unsure = found.avg_logprob < (options.log_prob_threshold if enough is None else enough)
    return not is_loop(found, options) and (not unsure or is_silence(found, options))


def decode_rows(
    model: Any,
    tokens: WhisperTokens,
    encoded: Any,
    prompts: list[list[int]],
    options: TranscribeOptions,
    searches: Sequence[Search],
) -> list[Decoded]:
    """One result for each row of `encoded` (rows, positions, width); prompts of equal length."""
    tried: list[list[Decoded]] = [[] for _ in prompts]
    waiting = list(range(len(prompts)))
    for search in searches:
        some = take_rows(encoded, waiting, len(prompts))
        found = _decode(model, tokens, some, [prompts[i] for i in waiting], options, search)
        for index, result in zip(waiting, found, strict=True):
            tried[index].append(result)
        waiting = [i for i in waiting if not passes(tried[i][-1], options, search.enough)]
        if not waiting:
            break
    first = int(searches[0].cheap)
    return [
        replace(
            _choose(results, options),
            beamed=searches[0].cheap and len(results) > 1,
            warmed=len(results) > 1 + first,
        )
        for results in tried
    ]


def _choose(results: list[Decoded], options: TranscribeOptions) -> Decoded:
    """The last result if it passes; else the likeliest, loops only if there is nothing else."""
    if passes(results[-1], options):
        return results[-1]
    sane = [found for found in results if not is_loop(found, options)]
    return max(sane or results, key=lambda found: found.avg_logprob)


def _decode(
    model: Any,
    tokens: WhisperTokens,
    encoded: Any,
    prompts: list[list[int]],
    options: TranscribeOptions,
    search: Search,
) -> list[Decoded]:
    results = model.generate(
        encoded,
        prompts,
        max_length=MAX_LENGTH,
        return_scores=True,
        return_no_speech_prob=True,
        return_logits_vocab=options.logprobs,
        suppress_tokens=tokens.suppressed,
        max_initial_timestamp_index=FIRST_TIMESTAMP,
        **_how(options, search),
    )
    return [_decoded(result, tokens, search.temperature, logprobs=options.logprobs) for result in results]


def _how(options: TranscribeOptions, search: Search) -> dict[str, Any]:
    # CTranslate2 gives the model's logits for a single hypothesis only.
    if search.temperature > 0:
        return {
            "beam_size": 1,
            "num_hypotheses": 1 if options.logprobs else CANDIDATES,
            "sampling_topk": 0,
            "sampling_temperature": search.temperature,
        }
    return {"beam_size": search.beams}


def _decoded(result: Any, tokens: WhisperTokens, temperature: float, *, logprobs: bool) -> Decoded:
    ids = tuple(result.sequences_ids[0])
    return Decoded(
        tokens=ids,
        logprobs=_logprobs(result.logits[0], ids) if logprobs else (),
        # The score is a mean over the tokens; the published thresholds count the end token too.
        avg_logprob=float(result.scores[0]) * len(ids) / (len(ids) + 1),
        no_speech_prob=float(result.no_speech_prob),
        compression_ratio=compression_ratio(tokens.decode(ids).strip()),
        temperature=temperature,
    )


def _logprobs(steps: Sequence[Any], ids: Sequence[int]) -> tuple[float, ...]:
    """Log-softmax of the model's logits at the chosen tokens."""
    return tuple(_logprob(np.asarray(step), token) for step, token in zip(steps, ids, strict=False))


def _logprob(logits: Any, token: int) -> float:
    row = logits.reshape(-1).astype(np.float64)
    top = row.max()
    return float(row[token] - top - np.log(np.exp(row - top).sum()))


def compression_ratio(text: str) -> float:
    """Bytes of the text over bytes of its deflated form; loops are above 2.4."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def take_rows(encoded: Any, indices: Sequence[int], rows: int) -> Any:
    """The given rows of a CTranslate2 array of `rows` rows."""
    import ctranslate2

    if list(indices) == list(range(rows)):
        return encoded
    on_cpu = encoded if encoded.device == "cpu" else encoded.to_device(ctranslate2.Device.cpu)
    some = np.ascontiguousarray(np.asarray(on_cpu)[list(indices)])
    return ctranslate2.StorageView.from_array(some)


def join_rows(encoded: Sequence[Any]) -> Any:
    """Encodings of one row each as one array. On a CPU only."""
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.concatenate([np.asarray(one) for one in encoded]))
