"""OpenVINO's decoder with the methods of CTranslate2's."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.types import EngineOptions
from engines.whisper.ctranslate2_weights import UnknownLayout
from engines.whisper.decoder_networks import DecoderShape
from engines.whisper.heard_rows import HeardRows
from engines.whisper.openvino_decoder import OpenVinoDecoder, TextOfRow
from engines.whisper.quick_decoder import (
    GeneratedText,
    QuickDecoder,
    alignment_heads,
    load_decoder,
    most_tokens,
)
from engines.whisper.sampling import Needs
from engines.whisper.tokens import WhisperTokens
from tests.support.ctranslate2_file import write_encoder

USUAL = {"beam_size": 5, "max_length": 448, "return_logits_vocab": False, "suppress_tokens": [3]}
NEEDS = Needs(lambda _: False, -1.0)


@dataclass
class Heard:
    """What was heard in some rows."""

    texts: tuple[str, ...]

    def alone(self, row: int) -> Heard:
        return Heard(self.texts[row : row + 1])


def heard(*texts: str) -> HeardRows:
    return cast("HeardRows", Heard(texts))


ONE = heard("one")


class NewDecoder:
    """OpenVINO's. It counts how often it rests."""

    def __init__(self) -> None:
        self.rests = 0

    def rest(self) -> None:
        self.rests += 1

    def listen(self, encoded: NDArray[np.float32]) -> HeardRows:
        assert encoded.shape == (1, 4, 8)
        return ONE

    def align(self, heard: Heard, *text: Any) -> tuple[str, Any]:
        return heard.texts[0], text

    def languages(self, heard: Heard) -> NDArray[np.float32]:
        return np.array([[0.25, 0.75]], np.float32)

    def generate(self, heard: Heard, prompts: Any, **options: int) -> list[TextOfRow]:
        assert options == {"beams": 5, "most_tokens": [224] * len(prompts)}
        return [TextOfRow((1,), -0.5, 0.25, (-0.5,))]

    def sample(self, heard: Heard, prompts: Any, **options: Any) -> list[list[TextOfRow]]:
        assert options == {"texts": 2, "temperature": 0.2, "most_tokens": [224], "needs": NEEDS}
        return [[TextOfRow((7, 8), -0.5, 0.25), TextOfRow((9,), -0.75, 0.25)]]


def decoder() -> QuickDecoder:
    return QuickDecoder(cast("OpenVinoDecoder", NewDecoder()), ["<|en|>", "<|de|>"])


def test_a_usual_search_is_openvinos() -> None:
    (found,) = decoder().generate(ONE, [[1, 2, 3]], **USUAL)
    assert (found.sequences_ids, found.scores, found.no_speech_prob) == ([[1]], [-0.5], 0.25)


def test_the_likeliest_language_is_told() -> None:
    assert decoder().detect_language(ONE) == [[("<|de|>", 0.75)]]


def test_it_listens_to_encodings() -> None:
    encoded = np.zeros((1, 4, 8), np.float32)
    assert cast("Any", decoder().listen(encoded)) is ONE


def test_texts_have_the_log_probabilities_of_their_tokens() -> None:
    (found,) = decoder().generate(ONE, [[1, 2, 3]], **{**USUAL, "return_logits_vocab": True})
    assert isinstance(found, GeneratedText)
    assert found.logprobs == [(-0.5,)]


def test_texts_are_drawn_by_openvino() -> None:
    sampling = {"sampling_temperature": 0.2, "num_hypotheses": 2, "beam_size": 1, "needs": NEEDS}
    (found,) = decoder().generate(ONE, [[1, 2, 3]], **{**USUAL, **sampling})
    assert (found.sequences_ids, found.scores, found.no_speech_prob) == ([[7, 8], [9]], [-0.5, -0.75], 0.25)


def test_each_row_has_its_own_most_tokens() -> None:
    lengths: list[list[int]] = []

    class Noting(NewDecoder):
        def generate(self, heard: Heard, prompts: Any, **options: Any) -> list[TextOfRow]:
            lengths.append(options["most_tokens"])
            return [TextOfRow((1,), -0.5, 0.25)] * 2

    quick = QuickDecoder(cast("OpenVinoDecoder", Noting()))
    quick.generate(ONE, [[1, 2, 3]] * 2, **{**USUAL, "max_length": [448, 60]})
    assert lengths == [[224, 30]]


def test_the_words_of_each_row_are_timed_in_it() -> None:
    found = decoder().align(heard("one", "two"), [1], [[2], [4, 5]], [7, 8])
    assert cast("Any", found) == [("one", ([1], [2], 3)), ("two", ([1], [4, 5], 4))]


SHAPE = DecoderShape(layers=4, heads=2, width=8, positions=60)


@pytest.mark.parametrize(
    ("config", "heads"),
    [
        ('{"alignment_heads": [[1, 0], [3, 1]]}', [(1, 0), (3, 1)]),
        ('{"alignment_heads": []}', [(2, 0), (2, 1), (3, 0), (3, 1)]),
        ("{}", [(2, 0), (2, 1), (3, 0), (3, 1)]),
    ],
)
def test_the_heads_for_word_times_are_those_of_the_file(
    tmp_path: Path, config: str, heads: list[tuple[int, int]]
) -> None:
    (tmp_path / "config.json").write_text(config)
    assert alignment_heads(tmp_path / "config.json", SHAPE) == heads


@pytest.mark.parametrize(
    "config",
    [
        "[]",
        "{",
        '{"alignment_heads": [[4, 0]]}',
        '{"alignment_heads": [3]}',
        '{"alignment_heads": [[1e999, 0]]}',
        '{"alignment_heads": [[1.9, 0]]}',
        None,
    ],
)
def test_heads_that_there_cannot_be_are_refused(tmp_path: Path, config: str | None) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(UnknownLayout):
        alignment_heads(tmp_path / "config.json", SHAPE)


def test_it_rests() -> None:
    openvino = NewDecoder()
    QuickDecoder(cast("OpenVinoDecoder", openvino)).rest()
    assert openvino.rests == 1


def test_texts_are_cut_where_ctranslate2_cuts_them() -> None:
    assert most_tokens(448, 3) == 224
    assert most_tokens(448, 227) == 222
    assert most_tokens(60, 3) == 30


def test_where_the_file_does_not_suit_ctranslate2_decodes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_encoder(tmp_path)  # a file without a decoder
    tokens = cast("WhisperTokens", None)
    assert load_decoder(tmp_path, EngineOptions(device="cpu"), tokens) is None
    assert "takes longer" in caplog.text
    assert str(tmp_path) not in caplog.text
