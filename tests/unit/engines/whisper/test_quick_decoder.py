"""Which of the two decoders decodes."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from ctranslate2 import StorageView
from numpy.typing import NDArray

from engines.types import EngineOptions, TranscribeOptions
from engines.whisper.late_model import LateWhisper
from engines.whisper.openvino_decoder import OpenVinoDecoder, TextOfRow
from engines.whisper.quick_decoder import (
    MOST_BEAMS,
    QuickDecoder,
    load_decoder,
    most_tokens,
    uses_ctranslate2,
)
from engines.whisper.tokens import WhisperTokens
from tests.support.ctranslate2_file import write_encoder

USUAL = {"beam_size": 5, "max_length": 448, "return_logits_vocab": False, "suppress_tokens": [3]}
ENCODED = StorageView.from_array(np.zeros((1, 4, 8), np.float32))


class OldDecoder:
    """CTranslate2's."""

    def __init__(self) -> None:
        self.rests = 0

    def rest(self) -> None:
        self.rests += 1

    def generate(self, encoded: StorageView, prompts: list[list[int]], **options: Any) -> str:
        return "CTranslate2"

    def align(self, encoded: StorageView, *texts: Any) -> list[str]:
        return ["aligned"]


class NewDecoder:
    """OpenVINO's. It counts how often it listens."""

    def __init__(self) -> None:
        self.listened = 0
        self.rests = 0

    def rest(self) -> None:
        self.rests += 1

    def listen(self, encoded: NDArray[np.float32]) -> str:
        assert encoded.shape == (1, 4, 8)
        self.listened += 1
        return f"heard {self.listened}"

    def languages(self, heard: str) -> NDArray[np.float32]:
        return np.array([[0.25, 0.75]], np.float32)

    def generate(self, heard: str, prompts: Any, **options: int) -> list[TextOfRow]:
        assert options == {"beams": 5, "most_tokens": [224] * len(prompts)}
        return [TextOfRow((int(heard.removeprefix("heard ")),), -0.5, 0.25)]

    def sample(self, heard: str, prompts: Any, **options: Any) -> list[list[TextOfRow]]:
        assert options == {"texts": 2, "temperature": 0.2, "most_tokens": [224]}
        return [[TextOfRow((7, 8), -0.5, 0.25), TextOfRow((9,), -0.75, 0.25)]]


def decoder() -> QuickDecoder:
    return QuickDecoder(
        cast("LateWhisper", OldDecoder()), cast("OpenVinoDecoder", NewDecoder()), ["<|en|>", "<|de|>"]
    )


def test_a_usual_search_is_openvinos() -> None:
    (found,) = decoder().generate(ENCODED, [[1, 2, 3]], **USUAL)
    assert (found.sequences_ids, found.scores, found.no_speech_prob) == ([[1]], [-0.5], 0.25)


def test_searches_use_what_was_heard_for_the_language() -> None:
    quick = decoder()
    assert quick.detect_language(ENCODED) == [[("<|de|>", 0.75)]]
    for _ in range(2):  # a greedy search, and one with beams
        assert quick.generate(ENCODED, [[1, 2, 3]], **USUAL)[0].sequences_ids == [[1]]


def test_a_search_in_several_rows_uses_up_what_was_heard() -> None:
    quick = decoder()
    rows = [[1, 2, 3]] * 2
    found = [quick.generate(ENCODED, rows, **USUAL)[0].sequences_ids for _ in range(2)]
    assert found == [[[1]], [[2]]]


def test_what_was_heard_is_forgotten_with_the_encodings() -> None:
    quick = decoder()
    encoded = StorageView.from_array(np.zeros((1, 4, 8), np.float32))
    quick.detect_language(encoded)
    quick.generate(encoded, [[1, 2, 3]], **USUAL)
    assert quick._heard
    del encoded
    gc.collect()
    assert not quick._heard


def test_a_search_in_other_encodings_listens_anew() -> None:
    quick = decoder()
    quick.detect_language(ENCODED)
    other = StorageView.from_array(np.ones((1, 4, 8), np.float32))
    assert quick.generate(other, [[1, 2, 3]], **USUAL)[0].sequences_ids == [[2]]


@pytest.mark.parametrize("rare", [{"return_logits_vocab": True}, {"beam_size": MOST_BEAMS + 1}])
def test_a_rare_search_is_ctranslate2s(rare: dict[str, Any]) -> None:
    assert cast("str", decoder().generate(ENCODED, [[1, 2, 3]], **{**USUAL, **rare})) == "CTranslate2"


def test_texts_are_drawn_by_openvino() -> None:
    sampling = {"sampling_temperature": 0.2, "num_hypotheses": 2, "beam_size": 1}
    (found,) = decoder().generate(ENCODED, [[1, 2, 3]], **{**USUAL, **sampling})
    assert (found.sequences_ids, found.scores, found.no_speech_prob) == ([[7, 8], [9]], [-0.5, -0.75], 0.25)


def test_each_row_has_its_own_most_tokens() -> None:
    lengths: list[list[int]] = []

    class Noting(NewDecoder):
        def generate(self, heard: str, prompts: Any, **options: Any) -> list[TextOfRow]:
            lengths.append(options["most_tokens"])
            return [TextOfRow((1,), -0.5, 0.25)] * 2

    quick = QuickDecoder(cast("LateWhisper", OldDecoder()), cast("OpenVinoDecoder", Noting()))
    quick.generate(ENCODED, [[1, 2, 3]] * 2, **{**USUAL, "max_length": [448, 60]})
    assert lengths == [[224, 30]]


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        (TranscribeOptions(), False),
        (TranscribeOptions(temperatures=(0.7,)), False),
        (TranscribeOptions(words=True), False),
        (TranscribeOptions(logprobs=True), True),
        (TranscribeOptions(beam_size=MOST_BEAMS + 1), True),
    ],
)
def test_what_ctranslate2_is_needed_for(options: TranscribeOptions, needed: bool) -> None:
    assert uses_ctranslate2(options) == needed


def test_word_times_are_ctranslate2s() -> None:
    assert cast("list[str]", decoder().align(ENCODED, [1], [[2]], [3])) == ["aligned"]


def test_both_rest() -> None:
    old, new = OldDecoder(), NewDecoder()
    QuickDecoder(cast("LateWhisper", old), cast("OpenVinoDecoder", new)).rest()
    assert (old.rests, new.rests) == (1, 1)


def test_texts_are_cut_where_ctranslate2_cuts_them() -> None:
    assert most_tokens(448, 3) == 224
    assert most_tokens(448, 227) == 222
    assert most_tokens(60, 3) == 30


def test_where_the_file_does_not_suit_ctranslate2_decodes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_encoder(tmp_path)  # a file without a decoder
    model, tokens = cast("LateWhisper", OldDecoder()), cast("WhisperTokens", None)
    assert load_decoder(tmp_path, EngineOptions(device="cpu"), model, tokens) is None
    assert "takes longer" in caplog.text
    assert str(tmp_path) not in caplog.text
