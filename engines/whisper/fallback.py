"""Temperature fallback: greedy search, beam search, then sampling, until a result is good enough.

Radford et al. 2022, section 4.5. The greedy search before the beam is ours (docs/decisions/0004), and so is
the bound on what a window may cost: sampling ends as soon as it makes a text less likely, and a repetition
loop gets two more tries, not five.

Law: each row of a batch is searched by itself, and a row whose result passes is not searched again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.types import TranscribeOptions
from engines.whisper.ctranslate2_arrays import Encoded, numbers, take_rows
from engines.whisper.decoding_quality import Decoded, best, compression_ratio, is_loop, passes
from engines.whisper.quick_decoder import GeneratedText, QuickDecoder
from engines.whisper.sampling import Needs
from engines.whisper.tokens import DECODER_POSITIONS, WhisperTokens

if TYPE_CHECKING:
    from ctranslate2.models import Whisper, WhisperGenerationResult

FIRST_TIMESTAMP = 50
"""Greatest value of the first timestamp: one second, in steps of 0.02 s."""
SAMPLED_CANDIDATES = 5
"""Sequences that are sampled at a temperature above zero; the likeliest one is the result; where
it is a loop, the likeliest that is good enough."""
GREEDY_MIN_LOGPROB = -0.35
"""Mean log-probability from which a greedy result needs no beam search."""
LOOP_JUMP = 0.6
"""After a sampled loop, temperatures that are higher by less than this are skipped, because they would
loop too."""


@dataclass(frozen=True, slots=True)
class Search:
    """One way to decode: a temperature and a number of beams."""

    temperature: float
    beams: int
    min_logprob: float
    """Mean log-probability from which a result of this search is accepted."""
    greedy_first: bool = False
    """Whether it is the greedy search before a beam search."""
    follows_loops: bool = True
    """Whether to try it after a search that gave a loop."""
    drawn: int = SAMPLED_CANDIDATES
    """Texts that are drawn at a temperature above 0."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one encoding, which are decoded together."""

    encoded: Encoded
    """Output of the encoder: (rows, positions, width)."""
    prompts: list[list[int]]
    """The prompts of the rows, all of the same length."""
    max_tokens: tuple[int | None, ...] = ()
    """Decoding of each row stops after so many tokens; None: after as many as the decoder has positions for,
    as for all rows if it is empty.
    """

    def take(self, rows: Sequence[int]) -> Batch:
        encoded = take_rows(self.encoded, rows, len(self.prompts))
        most = tuple(self.max_tokens[row] for row in rows) if self.max_tokens else ()
        return Batch(encoded, [self.prompts[row] for row in rows], most)

    @property
    def max_length(self) -> int | list[int]:
        """The `max_length` for CTranslate2, which generates at most half of it, and at most the positions
        after the prompt. One for each row, where they differ.
        """
        lengths = [self._length(most) for most in self.max_tokens] or [DECODER_POSITIONS]
        return lengths if len(set(lengths)) > 1 else lengths[0]

    def _length(self, most: int | None) -> int:
        if most is None:
            return DECODER_POSITIONS
        return min(DECODER_POSITIONS, max(2 * most, most + len(self.prompts[0])))


def searches(
    options: TranscribeOptions, *, sampling: bool, greedy: bool, single: bool = False
) -> tuple[Search, ...]:
    """The searches of a round, in order.

    `sampling`: include the fallback temperatures. `greedy`: start with greedy search, if the options say so.
    `single`: search one text alone, as CTranslate2 must if it is to give the model's logits.
    """
    temperatures = options.temperatures if sampling else options.temperatures[:1]
    low = options.log_prob_threshold
    beams, drawn = (1, 1) if single else (options.beam_size, SAMPLED_CANDIDATES)
    plan = tuple(Search(t, 1 if t else beams, low, drawn=drawn) for t in temperatures)
    if not (greedy and options.greedy_first and plan[0].beams > 1):
        return plan
    first = Search(0.0, 1, max(low, GREEDY_MIN_LOGPROB), greedy_first=True)
    # A short encoding that led to a loop is encoded again in full: a beam search on it would loop as well.
    return (first, replace(plan[0], follows_loops=sampling), *plan[1:])


def worth_trying(search: Search, tried: Sequence[tuple[Search, Decoded]], options: TranscribeOptions) -> bool:
    """Whether `search` may improve on the results so far."""
    if not tried:
        return True
    before, last = tried[-1]
    if passes(last, options, before.min_logprob):
        return False
    if is_loop(last, options):
        jumps = not before.temperature or search.temperature >= before.temperature + LOOP_JUMP
        return search.follows_loops and jumps
    earlier = [result.avg_logprob for _, result in tried[:-1] if not is_loop(result, options)]
    return not before.temperature or not earlier or last.avg_logprob > max(earlier)


def decode_rows(
    model: Whisper | QuickDecoder,
    tokens: WhisperTokens,
    batch: Batch,
    options: TranscribeOptions,
    plans: Sequence[Sequence[Search]],
) -> list[Decoded]:
    """One result for each row of the batch.

    `plans`: the searches of each row in order; those of some rows may end before those of others.
    """
    tried: list[list[tuple[Search, Decoded]]] = [[] for _ in batch.prompts]
    for following in zip_longest(*plans):
        waiting = [
            row
            for row, search in enumerate(following)
            if search and worth_trying(search, tried[row], options)
        ]
        if not waiting:
            continue
        results = _decode(model, tokens, batch.take(waiting), options, following[waiting[0]])
        for row, result in zip(waiting, results, strict=True):
            tried[row].append((following[row], result))
    return [_chosen(results, options) for results in tried]


def _chosen(tried: Sequence[tuple[Search, Decoded]], options: TranscribeOptions) -> Decoded:
    greedy = int(tried[0][0].greedy_first)
    return replace(
        best([result for _, result in tried], options),
        beamed=bool(greedy) and len(tried) > 1,
        fell_back=len(tried) > 1 + greedy,
    )


def _decode(
    model: Whisper | QuickDecoder,
    tokens: WhisperTokens,
    batch: Batch,
    options: TranscribeOptions,
    search: Search,
) -> list[Decoded]:
    own: dict[str, Any] = {"needs": _needs(tokens, options)} if isinstance(model, QuickDecoder) else {}
    length: Any = batch.max_length  # several only where OpenVINO decodes rows of several lengths
    results = model.generate(
        batch.encoded,
        batch.prompts,
        max_length=length,
        return_scores=True,
        return_no_speech_prob=True,
        return_logits_vocab=options.logprobs,
        suppress_tokens=tokens.suppressed,
        max_initial_timestamp_index=FIRST_TIMESTAMP,
        **_search_options(search),
        **own,
    )
    return [_decoded(result, tokens, search.temperature, options) for result in results]


def _search_options(search: Search) -> dict[str, Any]:
    if search.temperature > 0:
        return {
            "beam_size": 1,
            "num_hypotheses": search.drawn,
            "sampling_topk": 0,
            "sampling_temperature": search.temperature,
        }
    return {"beam_size": search.beams}


def _needs(tokens: WhisperTokens, options: TranscribeOptions) -> Needs:
    """What a drawn text needs to pass, so that loops beside it can end."""

    def is_loop(drawn: Sequence[int]) -> bool:
        return compression_ratio(tokens.decode(drawn).strip()) > options.compression_ratio_threshold

    return Needs(is_loop, options.log_prob_threshold)


def _decoded(
    result: WhisperGenerationResult | GeneratedText,
    tokens: WhisperTokens,
    temperature: float,
    options: TranscribeOptions,
) -> Decoded:
    """The likeliest sequence; where it is a loop, the likeliest that is good enough, because a loop is
    likelier than any text.
    """
    found = [
        _sequence(result, index, tokens, temperature, logprobs=options.logprobs)
        for index in range(len(result.sequences_ids))
    ]
    chosen = found[0]
    if is_loop(chosen, options):
        chosen = next((one for one in found if one.compression_ratio and passes(one, options)), chosen)
    return chosen


def _sequence(
    result: WhisperGenerationResult | GeneratedText,
    index: int,
    tokens: WhisperTokens,
    temperature: float,
    *,
    logprobs: bool,
) -> Decoded:
    ids = tuple(result.sequences_ids[index])
    return Decoded(
        tokens=ids,
        logprobs=_logprobs(result, index, ids) if logprobs else (),
        # The score is a mean over the tokens; the published thresholds count the end token too.
        avg_logprob=float(result.scores[index]) * len(ids) / (len(ids) + 1),
        no_speech_prob=float(result.no_speech_prob),
        compression_ratio=compression_ratio(tokens.decode(ids).strip()),
        temperature=temperature,
    )


def _logprobs(
    result: WhisperGenerationResult | GeneratedText, index: int, ids: Sequence[int]
) -> tuple[float, ...]:
    """The log-probabilities of the tokens of a sequence. CTranslate2 gives the logits of each step."""
    if isinstance(result, GeneratedText):
        return tuple(result.logprobs[index])
    steps = zip(result.logits[index], ids, strict=False)
    return tuple(_logprob(numbers(step), token) for step, token in steps)


def _logprob(logits: np.ndarray, token: int) -> float:
    row = logits.reshape(-1).astype(np.float64)
    top = row.max()
    return float(row[token] - top - np.log(np.exp(row - top).sum()))
