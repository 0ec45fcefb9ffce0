"""The decoder on OpenVINO, with small random weights (real ones: tests/contract/test_whisper_decoder.py)."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.whisper import openvino_decoder
from engines.whisper.alignment import path
from engines.whisper.beam_search import BeamSearch
from engines.whisper.ctranslate2_weights import Weights, read_arrays
from engines.whisper.network_parts import NetworkParts
from engines.whisper.openvino_decoder import OpenVinoDecoder, TextOfRow
from engines.whisper.sampling import Needs
from engines.whisper.timestamp_rules import (
    IMPOSSIBLE,
    Likeliest,
    NextTokens,
    TimestampRules,
    Vocabulary,
    log_probabilities,
)
from tests.support.ctranslate2_file import write_decoder
from tests.support.exact_network import ExactParts
from tests.support.openvino import needs_openvino

pytestmark = needs_openvino
KNOWN = Vocabulary(start=701, end=700, timestamps=712, size=740, suppressed=(3, 701, 702))
WIDTH, HEADS = 32, 2
ALIGNED = ((0, 1), (1, 0))
"""The layer and the number of the heads that time the words."""
ANYTHING = Needs(lambda _: False, -np.inf)
PROMPT = [701, 703, 705]
Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    folder = tmp_path_factory.mktemp("decoder")
    write_decoder(folder, WIDTH, HEADS, tokens=KNOWN.size)
    return Weights(read_arrays(folder / "model.bin"), "decoder")


@pytest.fixture(scope="module")
def exact(weights: Weights) -> OpenVinoDecoder:
    return OpenVinoDecoder(
        ExactParts(weights), weights, KNOWN, calls=1, threads=1, precision="f32", heads=ALIGNED
    )


@pytest.fixture(scope="module")
def usual(weights: Weights) -> OpenVinoDecoder:
    return OpenVinoDecoder(NetworkParts(weights), weights, KNOWN, calls=2, threads=1, heads=ALIGNED)


def encodings(rows: int, positions: int = 40, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(0, 1, (rows, positions, WIDTH)).astype(np.float32)


class Definition:
    """The decoder by its definition, for one row: tokens in, logits out."""

    def __init__(self, weights: Weights, encoded: Floats) -> None:
        self._w = weights
        self._encoded = encoded
        self._last: list[Floats] = []
        self.shares: dict[int, list[Floats]] = {}
        """By layers, of each head: (tokens, positions)."""

    def logits(self, tokens: list[int]) -> Floats:
        """After the last token."""
        return np.asarray(self.all_logits(tokens)[-1])

    def all_logits(self, tokens: list[int]) -> Floats:
        """After each token. Keeps the shares of the attention to the encodings in `shares`."""
        w = self._w
        self.shares = {}
        x = w["embeddings/weight"][tokens] + w["position_encodings/encodings"][: len(tokens)]
        for layer in (f"layer_{number}" for number in range(w.layers)):
            name = f"{layer}/self_attention"
            q, k, v = np.split(self._linear(self._norm(x, name), f"{name}/linear_0"), 3, axis=1)
            later = np.triu(np.full((len(tokens), len(tokens)), -np.inf), 1)
            x = x + self._linear(self._seen(q, k, v, later), f"{name}/linear_1")
            name = f"{layer}/attention"
            k, v = np.split(self._linear(self._encoded, f"{name}/linear_1"), 2, axis=1)
            q = self._linear(self._norm(x, name), f"{name}/linear_0")
            x = x + self._linear(self._seen(q, k, v, 0.0), f"{name}/linear_2")
            self.shares[int(layer.removeprefix("layer_"))] = self._last
            inner = self._linear(self._norm(x, f"{layer}/ffn"), f"{layer}/ffn/linear_0")
            gelu = np.vectorize(lambda value: value * 0.5 * (1 + math.erf(value / math.sqrt(2))))
            x = x + self._linear(gelu(inner), f"{layer}/ffn/linear_1")
        return np.asarray(self._norm(x, "") @ w["embeddings/weight"].T, np.float32)

    def _norm(self, x: Floats, block: str) -> Floats:
        name = f"{block}/layer_norm".removeprefix("/")
        flat = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return np.asarray(flat * self._w[f"{name}/gamma"] + self._w[f"{name}/beta"], np.float32)

    def _linear(self, x: Floats, name: str) -> Floats:
        return np.asarray(x @ self._w[f"{name}/weight"].T + self._w[f"{name}/bias"], np.float32)

    def _seen(self, q: Floats, k: Floats, v: Floats, mask: Floats | float) -> Floats:
        heads = []
        self._last = []
        for head in range(HEADS):
            part = slice(head * WIDTH // HEADS, (head + 1) * WIDTH // HEADS)
            shares = np.exp(q[:, part] @ k[:, part].T / math.sqrt(WIDTH // HEADS) + mask)
            self._last.append(shares / shares.sum(1, keepdims=True))
            heads.append(self._last[-1] @ v[:, part])
        return np.concatenate(heads, 1)


def by_definition(weights: Weights, encoded: Floats, beams: int, most: int) -> TextOfRow:
    """The text of one row. The search and the rules are the decoder's own, which have tests of their own."""
    network, rules = Definition(weights, encoded), TimestampRules(KNOWN)
    raw = network.logits(PROMPT[:1])
    silence = float(np.exp(raw[KNOWN.without_speech]) / np.exp(raw).sum())
    search = BeamSearch(beams=beams, most_tokens=[most], end=KNOWN.end)
    while True:
        allowed = rules.allowed(search.said)
        logits = np.stack([network.logits([*PROMPT, *map(int, text)]) for text in search.said])
        logits[:, list(KNOWN.suppressed)] = IMPOSSIBLE
        logits[:, KNOWN.end :] += allowed.others
        bounds = (0, KNOWN.end, KNOWN.timestamps, KNOWN.size)
        kinds = []
        for first, last in itertools.pairwise(bounds):
            part = logits[:, first:last]
            order = np.argsort(-part, axis=1)
            total = np.log(np.exp(part - part.max()).sum(1)) + part.max()
            kinds.append(
                Likeliest(np.take_along_axis(part, order, 1), (order + first).astype(np.int32), total)
            )
        if search.advance(*log_probabilities(NextTokens(*kinds), allowed)) is None:
            found = search.results()[0]
            return TextOfRow(found.tokens, found.score, silence, found.logprobs)


@pytest.mark.parametrize("beams", [1, 3])
def test_the_texts_are_those_of_the_definition(exact: OpenVinoDecoder, weights: Weights, beams: int) -> None:
    encoded = encodings(3)
    found = exact.generate(exact.listen(encoded), [PROMPT] * 3, beams=beams, most_tokens=[8] * 3)
    for row, text in zip(encoded, found, strict=True):
        true = by_definition(weights, row, beams, 8)
        assert text.tokens == true.tokens
        assert text.score == pytest.approx(true.score, abs=1e-4)
        assert text.no_speech_prob == pytest.approx(true.no_speech_prob, abs=1e-5)
        assert text.logprobs == pytest.approx(true.logprobs, abs=1e-4)


def test_a_row_has_the_same_text_in_every_batch(exact: OpenVinoDecoder) -> None:
    encoded = encodings(5)
    together = exact.generate(exact.listen(encoded), [PROMPT] * 5, beams=3, most_tokens=[30] * 5)
    for row, text in enumerate(together):
        (alone,) = exact.generate(exact.listen(encoded[row : row + 1]), [PROMPT], beams=3, most_tokens=[30])
        assert text.tokens == alone.tokens
        assert text.score == pytest.approx(alone.score, abs=1e-4)


def test_a_row_has_the_same_text_beside_longer_ones(exact: OpenVinoDecoder) -> None:
    encoded = encodings(4)
    for row, end in enumerate((40, 10, 25, 1)):
        encoded[row, end:] = 0
    together = exact.generate(exact.listen(encoded), [PROMPT] * 4, beams=3, most_tokens=[30, 5, 30, 8])
    drawn = exact.sample(
        exact.listen(encoded),
        [PROMPT] * 4,
        texts=3,
        temperature=0.8,
        most_tokens=[30, 5, 30, 8],
        needs=ANYTHING,
    )
    for row, (end, most) in enumerate(((40, 30), (10, 5), (25, 30), (1, 8))):
        alone = encoded[row : row + 1, :end]
        (text,) = exact.generate(exact.listen(alone), [PROMPT], beams=3, most_tokens=[most])
        assert text.tokens == together[row].tokens
        assert text.score == pytest.approx(together[row].score, abs=1e-4)
        assert len(text.tokens) <= most
        (texts,) = exact.sample(
            exact.listen(alone), [PROMPT], texts=3, temperature=0.8, most_tokens=[most], needs=ANYTHING
        )
        assert [one.tokens for one in texts] == [one.tokens for one in drawn[row]]


def test_texts_are_drawn_as_likely_as_they_are(exact: OpenVinoDecoder, weights: Weights) -> None:
    """The scores of drawn texts are those of the definition, and a low temperature draws the likeliest."""
    encoded = encodings(1)
    (likeliest,) = exact.generate(exact.listen(encoded), [PROMPT], beams=1, most_tokens=[6])
    (cold,) = exact.sample(
        exact.listen(encoded), [PROMPT], texts=2, temperature=0.001, most_tokens=[6], needs=ANYTHING
    )
    assert [one.tokens for one in cold] == [likeliest.tokens] * 2
    assert cold[0].score == pytest.approx(likeliest.score, abs=1e-4)
    assert cold[0].no_speech_prob == pytest.approx(likeliest.no_speech_prob, abs=1e-6)
    (hot,) = exact.sample(
        exact.listen(encoded), [PROMPT], texts=5, temperature=1.0, most_tokens=[6], needs=ANYTHING
    )
    assert len({one.tokens for one in hot}) > 1
    assert [one.score for one in hot] == sorted((one.score for one in hot), reverse=True)


@pytest.mark.parametrize("length", [1, 12, 13, 29, 55])
def test_words_are_timed_by_the_attention_of_the_definition(
    exact: OpenVinoDecoder, weights: Weights, length: int
) -> None:
    """55 tokens of text, with those around them, are all that the decoder has places for."""
    encoded, text = encodings(1), [7 * number % 700 for number in range(1, length + 1)]
    found = exact.align(exact.listen(encoded), PROMPT, text, 35)
    network = Definition(weights, encoded[0])
    logits = network.all_logits([*PROMPT, KNOWN.without_times, *text, KNOWN.end])
    attended = [network.shares[layer][head][:, :35] for layer, head in ALIGNED]
    shares = [some / some.sum(axis=1, keepdims=True) for some in attended]
    assert found.alignments == path(shares, slice(len(PROMPT), -1))
    among = np.exp(logits[len(PROMPT) : len(PROMPT) + length, : KNOWN.end])
    chances = among[range(length), text] / among.sum(axis=1)
    assert found.text_token_probs == pytest.approx(chances.tolist(), abs=1e-5)


def test_a_row_that_ends_before_others_is_timed_as_alone(usual: OpenVinoDecoder) -> None:
    """In bfloat16."""
    encoded = encodings(1)
    encoded[0, 25:] = 0
    timed = usual.align(usual.listen(encoded), PROMPT, [5, 6, 7], 40)
    alone = usual.align(usual.listen(encoded[:, :25]), PROMPT, [5, 6, 7], 40)
    assert timed == alone
    assert max(position for _, position in timed.alignments) == 24


def test_encodings_are_heard_piece_by_piece(usual: OpenVinoDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encodings(2)
    whole = usual.listen(encoded)
    monkeypatch.setattr(openvino_decoder, "POSITIONS_AT_ONCE", 15)  # two and a rest
    assert np.array_equal(usual.listen(encoded).keys, whole.keys)


def test_threads_do_not_change_each_others_results(usual: OpenVinoDecoder) -> None:
    inputs = [encodings(rows, 20 * rows, rows) for rows in (1, 2, 3, 4) * 3]

    def texts(encoded: Floats) -> list[TextOfRow]:
        return usual.generate(
            usual.listen(encoded), [PROMPT] * len(encoded), beams=3, most_tokens=[20] * len(encoded)
        )

    alone = [texts(one) for one in inputs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(texts, inputs)) == alone


def test_a_prompt_of_other_texts_is_read(exact: OpenVinoDecoder) -> None:
    encoded = encodings(1)
    (plain,) = exact.generate(exact.listen(encoded), [PROMPT], beams=1, most_tokens=[8])
    (prompted,) = exact.generate(exact.listen(encoded), [[710, 5, 6, 7, *PROMPT]], beams=1, most_tokens=[8])
    assert prompted.no_speech_prob != plain.no_speech_prob
    assert prompted.score != plain.score


def test_suppressed_tokens_never_come(usual: OpenVinoDecoder) -> None:
    for text in usual.generate(usual.listen(encodings(4)), [PROMPT] * 4, beams=5, most_tokens=[40] * 4):
        assert not {*KNOWN.suppressed, KNOWN.timestamps - 1, KNOWN.end} & {*text.tokens}
        assert len(text.tokens) <= 40


def test_languages_are_weighed_among_themselves(exact: OpenVinoDecoder, weights: Weights) -> None:
    encoded = encodings(3)
    heard = exact.listen(encoded)
    for row, chances in zip(encoded, exact.languages(heard), strict=True):
        logits = Definition(weights, row).logits([KNOWN.start])[[702, 703, 704, 705]]
        assert chances == pytest.approx(np.exp(logits) / np.exp(logits).sum(), abs=1e-5)
    # What was heard is as good as new.
    again, new = (
        exact.generate(one, [PROMPT] * 3, beams=1, most_tokens=[8] * 3)
        for one in (heard, exact.listen(encoded))
    )
    assert again == new


def test_rows_can_be_searched_again(exact: OpenVinoDecoder) -> None:
    """Some of them too, wherever a search has moved them."""
    encoded = encodings(4)
    heard, new = exact.listen(encoded), exact.listen(encoded)
    expected = exact.generate(new, [PROMPT] * 4, beams=3, most_tokens=[8] * 4)
    exact.generate(heard, [PROMPT] * 4, beams=1, most_tokens=[8, 1, 5, 2])
    some = exact.generate(heard.take([3, 0, 1]), [PROMPT] * 3, beams=3, most_tokens=[8] * 3)
    for found, row in zip(some, (3, 0, 1), strict=True):
        assert found.tokens == expected[row].tokens
        assert found.score == pytest.approx(expected[row].score, abs=1e-4)
    assert exact.generate(heard, [PROMPT] * 4, beams=3, most_tokens=[8] * 4) == expected


def test_a_single_row_can_be_searched_again(exact: OpenVinoDecoder) -> None:
    encoded = encodings(1)
    heard = exact.listen(encoded)
    exact.generate(heard, [PROMPT], beams=1, most_tokens=[8])
    again, new = (
        exact.generate(one, [PROMPT], beams=3, most_tokens=[8]) for one in (heard, exact.listen(encoded))
    )
    assert again == new
