"""Temperature fallback: which searches a round may use, and that the cost of a window is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from ctranslate2 import StorageView
from ctranslate2.models import Whisper

from engines.types import TranscribeOptions
from engines.whisper.beam_search import FoundText
from engines.whisper.decoding_quality import Decoded
from engines.whisper.fallback import SAMPLED_CANDIDATES, Batch, decode_rows, searches
from engines.whisper.heard_rows import HeardRows
from engines.whisper.openvino_decoder import OpenVinoDecoder, TextOfRow
from engines.whisper.quick_decoder import QuickDecoder
from engines.whisper.sampling import Needs
from engines.whisper.tokens import DECODER_POSITIONS, WhisperTokens

SAMPLED = (0.2, 0.4, 0.6, 0.8, 1.0)
LOOP, GOOD = (7,) * 224, tuple(range(20, 40))


def plan(
    *, sampling: bool = True, greedy: bool = True, single: bool = False, **options: Any
) -> list[tuple[float, int]]:
    found = searches(TranscribeOptions(**options), sampling=sampling, greedy=greedy, single=single)
    return [(search.temperature, search.beams) for search in found]


def test_the_searches_of_a_round() -> None:
    sampled = [(temperature, 1) for temperature in SAMPLED]
    assert plan() == [(0.0, 5), *sampled]
    assert plan(greedy_first=True) == [(0.0, 1), (0.0, 5), *sampled]
    assert plan(greedy_first=True, beam_size=1) == [(0.0, 1), *sampled]
    assert plan(greedy_first=True, logprobs=True) == [(0.0, 1), (0.0, 5), *sampled]
    assert plan(greedy_first=True, single=True) == [(0.0, 1), *sampled]
    assert plan(greedy_first=True, temperatures=(0.7,)) == [(0.7, 1)]
    assert plan(greedy_first=True, sampling=False) == [(0.0, 1), (0.0, 5)]
    assert plan(greedy_first=True, greedy=False)[0] == (0.0, 5)


@dataclass(frozen=True)
class Generated:
    """CTranslate2's result for one row."""

    tokens: tuple[int, ...]
    score: float
    no_speech_prob: float = 0.01
    logits: tuple[()] = ()
    others: tuple[tuple[tuple[int, ...], float], ...] = ()
    """The tokens and the scores of less likely sequences."""

    @property
    def sequences_ids(self) -> list[list[int]]:
        return [list(self.tokens), *(list(tokens) for tokens, _ in self.others)]

    @property
    def scores(self) -> list[float]:
        return [self.score, *(score for _, score in self.others)]


class Scripted:
    """A fake model: a script gives the result of each row for (temperature, beams). It counts the calls."""

    def __init__(self, script: dict[tuple[float, int], Generated], default: Generated) -> None:
        self._script = script
        self._default = default
        self.calls: list[tuple[float, int, int]] = []
        self.lengths: list[Any] = []

    def generate(self, encoded: StorageView, prompts: Sequence[list[int]], **options: Any) -> list[Generated]:
        search = (options.get("sampling_temperature", 0.0), options["beam_size"])
        self.calls.append((*search, options.get("num_hypotheses", 1)))
        self.lengths.append(options["max_length"])
        return [self._script.get(search, self._default)] * len(prompts)


class Letters:
    """Decodes tokens as letters."""

    suppressed: tuple[int, ...] = ()

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(chr(97 + token) for token in tokens)


def run(model: Scripted | QuickDecoder, *, sampling: bool = True) -> Decoded:
    options = TranscribeOptions(greedy_first=True)
    batch = Batch(StorageView.from_array(np.zeros((1, 4, 4), np.float32)), [[1, 2, 3]])
    (result,) = decode_rows(
        cast("Whisper", model),
        cast("WhisperTokens", Letters()),
        batch,
        options,
        [searches(options, sampling=sampling, greedy=True)],
    )
    return result


def test_a_good_result_costs_one_greedy_search() -> None:
    model = Scripted({}, Generated(GOOD, -0.1))
    result = run(model)
    assert model.calls == [(0.0, 1, 1)]
    assert (result.beamed, result.fell_back) == (False, False)


def test_a_loop_that_no_search_breaks_is_given_up_early() -> None:
    model = Scripted({}, Generated(LOOP, -0.1))
    result = run(model)
    assert [call[0] for call in model.calls] == [0.0, 0.0, 0.2, 0.8], "two samplings, not five"
    assert result.tokens == LOOP
    assert result.fell_back


def test_a_loop_that_sampling_breaks_is_replaced() -> None:
    model = Scripted({(0.2, 1): Generated(GOOD, -0.5)}, Generated(LOOP, -0.1))
    assert run(model).tokens == GOOD
    assert model.calls[-1] == (0.2, 1, SAMPLED_CANDIDATES)


def test_text_is_taken_although_a_sampled_loop_is_likelier() -> None:
    sampled = Generated(LOOP, -0.03, others=((GOOD, -0.7), (GOOD[::-1], -0.8)))
    model = Scripted({(0.2, 1): sampled}, Generated(LOOP, -0.1))
    result = run(model)
    assert result.tokens == GOOD
    assert result.avg_logprob == pytest.approx(-0.7 * 20 / 21)
    assert model.calls[-1][0] == 0.2, "no other temperature is needed"


def test_openvino_is_told_what_a_drawn_text_needs() -> None:
    class Drawing:
        """OpenVINO's decoder."""

        def listen(self, encoded: Any) -> HeardRows:
            return HeardRows(np.zeros((1, 1, 1, 1, 1), np.float32), np.zeros((1, 1, 1, 1), np.float32))

        def generate(self, heard: Any, prompts: Any, **options: Any) -> list[TextOfRow]:
            return [TextOfRow(LOOP, -0.1, 0.01)]

        def sample(self, heard: Any, prompts: Any, *, needs: Needs, **options: Any) -> list[list[TextOfRow]]:
            met = [needs.met(FoundText(text, score)) for text in (LOOP, GOOD) for score in (-0.9, -1.1)]
            assert met == [False, False, True, False]
            return [[TextOfRow(LOOP[:40], -0.1, 0.01), TextOfRow(GOOD, -0.5, 0.01)]]

    assert run(QuickDecoder(cast("OpenVinoDecoder", Drawing()))).tokens == GOOD


def test_where_all_samples_are_loops_the_likeliest_counts() -> None:
    sampled = Generated(LOOP, -0.03, others=((LOOP[1:], -0.7), ((), -0.7), (GOOD, -3.0)))
    assert run(Scripted({(0.2, 1): sampled}, Generated(LOOP, -0.1))).tokens == LOOP


def test_a_loop_of_a_short_encoding_gets_no_beam_search() -> None:
    model = Scripted({}, Generated(LOOP, -0.1))
    run(model, sampling=False)
    assert model.calls == [(0.0, 1, 1)]


def test_sampling_ends_when_it_makes_the_text_less_likely() -> None:
    script = {(0.0, 5): Generated(GOOD, -1.3), (0.2, 1): Generated(GOOD[::-1], -1.5)}
    model = Scripted(script, Generated(GOOD, -1.2))
    assert run(model).avg_logprob == pytest.approx(-1.2 * 20 / 21), "the likeliest of three"
    assert [call[0] for call in model.calls] == [0.0, 0.0, 0.2]


def test_sampling_goes_on_while_the_text_becomes_likelier() -> None:
    script = {(0.2, 1): Generated(GOOD, -1.2), (0.4, 1): Generated(GOOD[::-1], -0.9)}
    model = Scripted(script, Generated(GOOD, -1.4))
    result = run(model)
    assert [call[0] for call in model.calls] == [0.0, 0.0, 0.2, 0.4]
    assert result.tokens == GOOD[::-1]


def test_rows_are_searched_by_themselves() -> None:
    class Two(Scripted):
        def generate(self, encoded: StorageView, prompts: Sequence[list[int]], **options: Any) -> list[Any]:
            super().generate(encoded, prompts, **options)
            results = {1: Generated(GOOD, -0.1), 2: Generated(LOOP, -0.1)}
            return [results[prompt[0]] for prompt in prompts]

    model = Two({}, Generated(GOOD, -0.1))
    options = TranscribeOptions()
    batch = Batch(StorageView.from_array(np.zeros((2, 4, 4), np.float32)), [[1], [2]])
    good, loop = decode_rows(
        cast("Whisper", model),
        cast("WhisperTokens", Letters()),
        batch,
        options,
        [searches(options, sampling=True, greedy=True)] * 2,
    )
    assert (good.tokens, loop.tokens) == (GOOD, LOOP)
    assert not good.fell_back


def test_a_row_with_fewer_searches_waits_for_none() -> None:
    model, options = Scripted({}, Generated(LOOP, -0.1)), TranscribeOptions()
    batch = Batch(StorageView.from_array(np.zeros((2, 4, 4), np.float32)), [[1], [2]], (None, 20))
    plans = [searches(options, sampling=sampling, greedy=True) for sampling in (True, False)]
    sampled, searched = decode_rows(
        cast("Whisper", model), cast("WhisperTokens", Letters()), batch, options, plans
    )
    assert (sampled.fell_back, searched.fell_back) == (True, False)
    assert model.lengths == [[DECODER_POSITIONS, 40], DECODER_POSITIONS, DECODER_POSITIONS]


@pytest.mark.parametrize(("prompt", "most", "expected"), [(3, 20, 40), (200, 20, 220), (225, 400, 448)])
def test_the_length_that_the_library_is_given(prompt: int, most: int, expected: int) -> None:
    encoded = StorageView.from_array(np.zeros((1, 4, 4), np.float32))
    assert Batch(encoded, [[1] * prompt], (most,)).max_length == expected
    assert Batch(encoded, [[1] * prompt]).max_length == DECODER_POSITIONS
