"""Whisper's decoder on OpenVINO, with the weights of a CTranslate2 model.

On CPUs that compute in bfloat16 it takes two thirds to three quarters of the time of CTranslate2's own
decoder, and its results are as near to those in float32 (docs/decisions/0015). It keeps the keys and values
of the encodings in half of the memory, once for all beams of a row.

Law: encodings and prompts in, texts out; what they are used for is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from engines.common.openvino import compiled, give_back
from engines.openvino_library import import_openvino
from engines.whisper.alignment import AlignedText, attention, path
from engines.whisper.beam_search import BeamSearch
from engines.whisper.ctranslate2_arrays import end_of
from engines.whisper.ctranslate2_weights import Weights
from engines.whisper.decoder_networks import (
    keys_and_values,
    most_likeliest,
    projection,
    shape_of,
    step,
    suppression,
)
from engines.whisper.decoder_run import DecoderRun, RunNetworks
from engines.whisper.heard_rows import HeardRows
from engines.whisper.network_parts import NetworkParts
from engines.whisper.sampling import Needs, SampledTexts, generators
from engines.whisper.timestamp_rules import (
    IMPOSSIBLE,
    Floats,
    TimestampRules,
    Tokens,
    Vocabulary,
    log_probabilities,
)

QUANTISED_GROUP = 128
"""Values that are rounded to int8 with one scale, as in the encoder."""
KEPT_SHAPES = 100
"""Shapes of inputs for which operations are kept prepared. Prompts have hundreds of lengths, times the rows
of a batch: with OpenVINO's own limits the process grows by two megabytes for each.
"""
POSITIONS_AT_ONCE = 150
"""Positions of encodings for which keys and values are computed at once: three seconds. Encodings have
multiples of 50, so that the network meets three lengths.
"""
FORCED_TOKENS = 16
"""Tokens of a given text are read in multiples of these."""
DRAWN_FROM = 50
"""Of each kind, so many of the likeliest tokens are drawn from."""


@dataclass(frozen=True, slots=True)
class TextOfRow:
    """What the decoder heard in one row."""

    tokens: tuple[int, ...]
    score: float
    """The mean log-probability of the tokens, where the sum includes the end token."""
    no_speech_prob: float
    logprobs: tuple[float, ...] = ()
    """The log-probability of each token among those that the rules allow."""


class OpenVinoDecoder:
    """Searches texts. Several threads may call it at once; nothing is kept between calls."""

    def __init__(
        self,
        graph: NetworkParts,
        embeddings: Weights,
        vocabulary: Vocabulary,
        *,
        calls: int,
        threads: int,
        precision: str = "bf16",
        heads: Sequence[tuple[int, int]] = (),
    ) -> None:
        """`graph`: the weights; `embeddings`: where rows of the embeddings are read while it works.

        `calls`: calls of `generate` that it works on at once, with `threads` threads each. `precision`:
        `bf16`, or `f32` to compare results with those of others. `heads`: the layer and the number of each
        head that attends to the sound of the token that comes next.
        """
        self._embeddings = embeddings
        self._arrays = graph.arrays
        self.known = vocabulary
        self._rules = TimestampRules(vocabulary)
        self.shape = shape_of(graph)
        layers = sorted({layer for layer, _ in heads})
        self._aligned = [(layers.index(layer), layer, head) for layer, head in heads]
        network = partial(compiled, calls=calls, threads=threads, group=QUANTISED_GROUP, shapes=KEPT_SHAPES)
        self.keys = network(keys_and_values(graph, self.shape, precision), precision=precision)
        stepping = network(step(graph, self.shape, precision, layers), precision=precision)
        # Logits in bfloat16 would be too coarse to tell likely tokens apart.
        last = projection(graph, self.shape, vocabulary.end, vocabulary.timestamps)
        self._networks = RunNetworks(stepping, network(last, precision="f32"), precision, vocabulary)
        self._to_text = suppression(vocabulary.end, vocabulary.suppressed)
        self._positions = graph.weights["position_encodings/encodings"]

    def listen(self, encoded: Floats) -> HeardRows:
        """The keys and values with which the decoder attends to the encodings.

        `encoded`: (rows, positions, width); a row that has fewer positions ends in zeros (`join_rows`). They
        are computed piece by piece, because the network keeps as much memory as its largest input takes.
        They are one array, so that all of its memory goes back to the system at once.
        """
        tensor = import_openvino().Tensor
        rows, positions, _ = encoded.shape
        shape = self.shape
        number = np.uint16 if self._networks.precision == "bf16" else np.float32
        made = np.empty((2 * shape.layers, rows, shape.heads, positions, shape.head_width), number)
        added = np.zeros((rows, 1, 1, positions), np.float32)
        request = self.keys.create_infer_request()
        ends = [end_of(one) for one in encoded]
        for row, end in enumerate(ends):
            made[:, row, :, end:] = 0  # whatever was there might not be a number
            added[row, ..., end:] = IMPOSSIBLE
        pieces = ((row, at) for row in range(rows) for at in range(0, ends[row], POSITIONS_AT_ONCE))
        for row, at in pieces:
            which = slice(at, min(at + POSITIONS_AT_ONCE, ends[row]))
            part = np.ascontiguousarray(encoded[row : row + 1, which], np.float32)
            request.set_input_tensor(tensor(part, shared_memory=True))
            request.infer()
            for place, target in enumerate(made):
                target[row, :, which] = request.get_output_tensor(place).data.view(number)[0]
        return HeardRows(made, added)

    def generate(
        self, heard: HeardRows, prompts: Sequence[Sequence[int]], *, beams: int, most_tokens: Sequence[int]
    ) -> list[TextOfRow]:
        """The likeliest text of each row.

        `heard`: from `listen`. `prompts`: of one length; the start token has the same place in all of them.
        `most_tokens`: the text of each row is cut after so many.
        """
        search = BeamSearch(beams=beams, most_tokens=most_tokens, end=self.known.end)
        silent = self._searched(heard, prompts, search, min(2 * beams, most_likeliest(self.known)))
        found = search.results()
        return [TextOfRow(a.tokens, a.score, b, a.logprobs) for a, b in zip(found, silent, strict=True)]

    def sample(
        self,
        heard: HeardRows,
        prompts: Sequence[Sequence[int]],
        *,
        texts: int,
        temperature: float,
        most_tokens: Sequence[int],
        needs: Needs,
    ) -> list[list[TextOfRow]]:
        """Texts of each row that are drawn at random, the likeliest first. The same row always has the same
        ones. `needs`: of a good text. The rest is as in `generate`.
        """
        found = []
        for row, most in enumerate(most_tokens):
            alone = heard.alone(row)
            random = generators(alone.keys[:, 0], temperature, texts)
            sampled = SampledTexts(
                temperature=temperature,
                most_tokens=most,
                end=self.known.end,
                random=random,
                needs=needs,
            )
            count = min(DRAWN_FROM, most_likeliest(self.known))
            (none,) = self._searched(alone, prompts[row : row + 1], sampled, count)
            found.append([TextOfRow(one.tokens, one.score, none, one.logprobs) for one in sampled.results()])
        return found

    def _searched(
        self,
        heard: HeardRows,
        prompts: Sequence[Sequence[int]],
        search: BeamSearch | SampledTexts,
        count: int,
    ) -> list[float]:
        """Takes all steps of a search, each of which is given the `count` likeliest tokens of each kind.
        Returns how likely it is that nobody speaks, for each row.
        """
        run = DecoderRun(self._networks, heard)
        tokens = np.array(prompts, np.int32)
        hidden = run.step(self.embedded(tokens, 0), np.arange(len(prompts), dtype=np.int32))
        silent = run.no_speech(hidden[:, list(prompts[0]).index(self.known.start)])
        while True:
            allowed = self._rules.allowed(search.said)
            following = run.following(hidden[:, -1], self._to_text, allowed.others, count)
            way = search.advance(*log_probabilities(following, allowed))
            if way is None:
                return silent
            run.keep(way.rows)
            place = tokens.shape[1] + search.said.shape[1] - 1
            hidden = run.step(self.embedded(search.said[:, -1:], place), way.origins)

    def languages(self, heard: HeardRows) -> Floats:
        """How likely each language is: (rows, languages). `heard`: from `listen`."""
        run, rows = DecoderRun(self._networks, heard), len(heard)
        start = np.full((rows, 1), self.known.start, np.int32)
        hidden = run.step(self.embedded(start, 0), np.arange(rows, dtype=np.int32))
        some = run.logits_of_others(hidden[:, -1], self.known.languages)
        chances = np.exp(some - some.max(axis=1, keepdims=True))
        return np.asarray(chances / chances.sum(axis=1, keepdims=True), np.float32)

    def align(
        self, heard: HeardRows, start: Sequence[int], text: Sequence[int], positions: int
    ) -> AlignedText:
        """The positions at which the tokens of a text are heard. `heard`: one row. `text`: text tokens alone.
        `positions`: of sound; those after them in the encoding are silence.
        """
        tokens = [*start, self.known.without_times, *text, self.known.end]
        run, chances = self._forced(heard, tokens, len(start) + 1)
        width = self.shape.head_width
        attended = [
            attention(
                run.queries(number)[0, : len(tokens), head * width : (head + 1) * width],
                heard.keys_of_head(layer, head)[:positions],
            )
            for number, layer, head in self._aligned
        ]
        return AlignedText(path(attended, slice(len(start), -1)), chances[: len(text)])

    def _forced(self, heard: HeardRows, tokens: Sequence[int], first: int) -> tuple[DecoderRun, list[float]]:
        """Reads given tokens. Returns the run, and how likely each of them from the `first` on is among all
        text tokens. The network reads some more after the last, so that it meets few lengths; no token
        attends to later ones.
        """
        run = DecoderRun(self._networks, heard)
        read = min(-(-len(tokens) // FORCED_TOKENS) * FORCED_TOKENS, self.shape.positions)
        padded = np.full((1, read), self.known.end, np.int32)
        padded[0, : len(tokens)] = tokens
        hidden = run.step(self.embedded(padded, 0), np.zeros(1, np.int32))[0]
        chances: list[float] = []
        for at in range(first, len(tokens), FORCED_TOKENS):
            end = min(at + FORCED_TOKENS, read)
            chances += run.chances_of_text(hidden[at - 1 : end - 1], padded[0, at:end])
        return run, chances

    def rest(self) -> None:
        """Gives back what inferences of several sizes have left, and the weights that are kept twice."""
        for network in (self.keys, self._networks.step, self._networks.projection):
            give_back(network)
        self._embeddings.evict()
        if self._arrays:
            self._arrays.evict()

    def embedded(self, tokens: Tokens, first: int) -> Floats:
        """The input of the network for tokens (texts, tokens) from position `first` on."""
        places = self._positions[first : first + tokens.shape[1]]
        return self._embeddings.rows("embeddings/weight", tokens) + places
