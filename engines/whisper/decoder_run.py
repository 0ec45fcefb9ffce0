"""The inferences by which texts are searched or read. Law: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engines.openvino_library import import_openvino
from engines.whisper.decoder_networks import suppression
from engines.whisper.heard_rows import HeardRows
from engines.whisper.timestamp_rules import Floats, Likeliest, NextTokens, Tokens, Vocabulary

if TYPE_CHECKING:
    from openvino import CompiledModel


@dataclass(frozen=True, slots=True)
class RunNetworks:
    """The networks of a decoder that are run for each token."""

    step: CompiledModel
    projection: CompiledModel
    precision: str
    known: Vocabulary


class DecoderRun:
    """The inferences of one search, or of one text that is given."""

    def __init__(self, networks: RunNetworks, heard: HeardRows) -> None:
        self._tensor = import_openvino().Tensor
        self._type = getattr(import_openvino().Type, networks.precision)
        self._known = networks.known
        self._heard = heard
        self._rows = list(range(len(heard)))
        """The rows whose texts are searched."""
        self._step = networks.step.create_infer_request()
        self._projection = networks.projection.create_infer_request()
        self._attend()

    def keep(self, places: Sequence[int]) -> None:
        """Goes on with the rows at these places, in this order. Where all go on, their order is the same."""
        if len(places) < len(self._rows):
            self._rows = [self._rows[place] for place in places]
            self._attend()

    def _attend(self) -> None:
        self._heard.bring(self._rows)
        count = len(self._rows)
        self._step.set_input_tensor(2, self._tensor(self._heard.added[:count], shared_memory=True))
        for number, part in enumerate(self._heard.keys, 3):
            some = part[:count]
            self._step.set_input_tensor(number, self._tensor(some, some.shape, self._type))

    def step(self, embedded: Floats, origins: NDArray[np.int32]) -> Floats:
        """The network's results after these tokens: (texts, tokens, width). Valid until the next step."""
        self._step.set_input_tensor(0, self._tensor(embedded, shared_memory=True))
        self._step.set_input_tensor(1, self._tensor(origins, shared_memory=True))
        self._step.infer()
        result: Floats = self._step.get_output_tensor(0).data
        return result

    def following(self, hidden: Floats, to_text: Floats, to_others: Floats, count: int) -> NextTokens:
        """The `count` likeliest tokens of each kind, after texts of which the network's results are `hidden`
        (texts, width). `to_text` and `to_others`: what is added to the logits.
        """
        self._project(hidden, to_text, to_others, count)
        found = [self._projection.get_output_tensor(number).data for number in range(9)]
        firsts = (0, self._known.end, self._known.timestamps)
        kinds = [
            Likeliest(found[3 * kind], found[3 * kind + 1] + np.int32(first), found[3 * kind + 2][:, 0])
            for kind, first in enumerate(firsts)
        ]
        return NextTokens(*kinds)

    def no_speech(self, hidden: Floats) -> list[float]:
        """How likely it is that nobody speaks, after the start tokens: for each row."""
        none = np.zeros((1, self._known.size - self._known.end), np.float32)
        found = self.following(hidden, suppression(self._known.end), none, 1)
        total = np.logaddexp.reduce([kind.log_sum for kind in (found.text, found.special, found.times)])
        chance = np.exp(self._others([self._known.without_speech])[:, 0] - total)
        return [float(one) for one in chance]

    def logits_of_others(self, hidden: Floats, tokens: Sequence[int]) -> Floats:
        """The logits of these tokens, which are no text: (texts, tokens)."""
        none = np.zeros((1, self._known.size - self._known.end), np.float32)
        self._project(hidden, suppression(self._known.end), none, 1)
        return self._others(tokens)

    def queries(self, number: int) -> Floats:
        """The queries of the layer with this number among those that are asked, after the last step: (texts,
        tokens, width). Valid until the next one.
        """
        result: Floats = self._step.get_output_tensor(1 + number).data
        return result

    def chances_of_text(self, hidden: Floats, tokens: Tokens) -> list[float]:
        """How likely one text token is after each text, among all text tokens. `hidden`: results of the
        network (texts, width).
        """
        known = self._known
        none = np.zeros((1, known.size - known.end), np.float32)
        self._project(hidden, suppression(known.end), none, 1, np.minimum(tokens, known.end - 1))
        total, logits = (self._projection.get_output_tensor(number).data[:, 0] for number in (2, 10))
        return [float(one) for one in np.exp(logits - total)]

    def _others(self, tokens: Sequence[int]) -> Floats:
        every: Floats = self._projection.get_output_tensor(9).data
        return every[:, np.array(tokens) - self._known.end]

    def _project(
        self,
        hidden: Floats,
        to_text: Floats,
        to_others: Floats,
        count: int,
        given: Tokens | None = None,
    ) -> None:
        """`given`: a text token for each text, whose logit is wanted."""
        wanted = np.zeros((len(hidden), 1), np.int32) if given is None else given[:, None]
        values = np.ascontiguousarray(hidden), to_text, to_others, np.array(count, np.int32), wanted
        for number, value in enumerate(values):
            self._projection.set_input_tensor(number, self._tensor(value, shared_memory=True))
        self._projection.infer()
