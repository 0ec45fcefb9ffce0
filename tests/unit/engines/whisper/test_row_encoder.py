"""Which rows attend to silence that is not encoded with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from ctranslate2 import StorageView

from app.runtime.threads_placement import WARM_UP_SECONDS
from engines.types import Pcm, Samples, Window
from engines.whisper import row_encoder
from engines.whisper.attended_silence import AttendedSilence
from engines.whisper.ctranslate2_arrays import numbers
from engines.whisper.openvino_encoder import OpenVinoEncoder
from engines.whisper.row_encoder import RowEncoder
from engines.whisper.rows import Row

BANDS = 4


@dataclass
class Quick:
    """An encoder whose encodings are the means of the features."""

    silences: list[AttendedSilence | None] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def encode(self, features: Samples, silence: AttendedSilence | None) -> Samples:
        self.silences.append(silence)
        pairs = np.pad(features, ((0, 0), (0, 0), (0, features.shape[2] % 2)))[0].mean(axis=0).reshape(-1, 2)
        return np.ascontiguousarray(pairs.mean(axis=1)[None, :, None], np.float32)

    def encode_silence(self, features: Samples) -> tuple[Samples, AttendedSilence]:
        self.log.append("silence")
        return np.zeros((1, features.shape[2] // 2, 1), np.float32), AttendedSilence([], 0)

    def rest(self) -> None:
        self.log.append("rest")


@pytest.fixture
def quick() -> Quick:
    return Quick()


@pytest.fixture
def encoder(quick: Quick) -> Iterator[RowEncoder]:
    made = encoder_of(quick, adaptive=True)
    yield made
    made.close()


def encoder_of(quick: Quick, *, adaptive: bool, for_openvino: bool = False) -> RowEncoder:
    model: Any = SimpleNamespace(
        model=SimpleNamespace(device="cpu"),
        feature_extractor=SimpleNamespace(mel_filters=np.zeros((BANDS, 1))),
    )
    return RowEncoder(model, cast("OpenVinoEncoder", quick), adaptive=adaptive, for_openvino=for_openvino)


def row(encoder: RowEncoder, frames: int, *, draft: bool = False) -> Row:
    features = np.random.default_rng(frames).normal(0, 1, (BANDS, frames)).astype(np.float32)
    window, padding = Window(Pcm(np.zeros(160 * frames, np.float32))), encoder.padding(draft=draft)
    return Row(window, features, None, padding, encoder.grid, tight=encoder.tight, draft=draft)


def test_a_short_row_attends_to_silence(encoder: RowEncoder, quick: Quick) -> None:
    one = row(encoder, 600)
    encoder.encode([one])
    assert [bool(silence) for silence in quick.silences] == [True]


@pytest.mark.parametrize("case", ["draft", "doubted", "not adaptive", "as long as a window"])
def test_others_do_not(quick: Quick, case: str) -> None:
    encoder = encoder_of(quick, adaptive=case != "not adaptive")
    one = row(encoder, 2990 if case == "as long as a window" else 600, draft=case == "draft")
    one.doubted = case == "doubted"
    encoder.encode([one])
    assert quick.silences == [None]
    encoder.close()


def test_the_warm_up_needs_no_silence(encoder: RowEncoder, quick: Quick) -> None:
    one = row(encoder, int(WARM_UP_SECONDS * 100), draft=True)
    encoder.encode([one])
    assert quick.log == []


def test_silence_is_encoded_before_a_rest(encoder: RowEncoder, quick: Quick) -> None:
    encoder.rest()
    encoder.rest()
    assert quick.log == ["silence", "rest", "rest"]


@pytest.mark.parametrize("frames", [600, 3000])
def test_each_decoder_gets_arrays_of_its_own_kind(quick: Quick, frames: int) -> None:
    for for_openvino, kind in ((True, np.ndarray), (False, StorageView)):
        encoder = encoder_of(quick, adaptive=True, for_openvino=for_openvino)
        rows = [row(encoder, frames)]
        assert type(encoder.encode(rows)) is kind
        assert type(encoder.encode(rows * 2)) is kind
        encoder.close()


@pytest.mark.parametrize("frames", [10, 1499, 1500, 2690, 2801, 2901])
def test_a_row_has_the_same_encoding_beside_others(encoder: RowEncoder, frames: int) -> None:
    one = row(encoder, frames)
    alone = numbers(encoder.encode([one]))
    both = numbers(encoder.encode([one, row(encoder, frames)]))
    assert np.array_equal(both, np.concatenate([alone, alone]))
    assert alone.shape == (1, one.size // 2, 1)


@pytest.mark.parametrize(
    ("frames", "gives"), [([2800], False), ([400, 400], False), ([2000, 400], True), ([2800, 2800], True)]
)
def test_long_batches_give_free_memory_back(
    quick: Quick, monkeypatch: pytest.MonkeyPatch, frames: list[int], gives: bool
) -> None:
    given: list[bool] = []
    monkeypatch.setattr(row_encoder, "return_free_memory", lambda: given.append(True))
    for for_openvino in (True, False):
        encoder = encoder_of(quick, adaptive=True, for_openvino=for_openvino)
        encoder.encode([row(encoder, one) for one in frames])
        encoder.close()
    assert given == [True] * gives, "where OpenVINO decodes"
