"""What Whisper does on a GPU, with weights on the CPU that say that they are on one: whole batches are
encoded at once, features are computed beside each other, lengths that were not measured are not used, and
memory ends.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from faster_whisper import WhisperModel

from engines.types import EngineOptions, Pcm, Samples, TranscribeOptions, Window
from engines.whisper import engine as whisper
from engines.whisper import row_encoder
from engines.whisper.engine import WhisperTranscriber, load
from tests.conftest import JFK, JFK_TEXT
from tests.support.sound import RATE, decode

pytestmark = pytest.mark.real
OPTIONS = TranscribeOptions(greedy_first=True)


class OnGpu:
    """Weights on the CPU; `room`: rows that fit into the memory of the pretended GPU."""

    device = "cuda"

    def __init__(self, weights: Any) -> None:
        self._weights = weights
        self.room = 100
        self.encoded: list[tuple[int, int]] = []
        """Rows and frames of each batch."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._weights, name)

    def encode(self, features: Any, to_cpu: bool = False) -> Any:
        rows, _, frames = features.shape
        self.encoded.append((rows, frames))
        if rows > self.room:
            raise RuntimeError("CUDA failed with error out of memory")
        return self._weights.encode(features)


@pytest.fixture(scope="module")
def model(whisper_folder: Path) -> WhisperModel:
    return WhisperModel(str(whisper_folder), device="cpu", compute_type="int8", local_files_only=True)


@pytest.fixture
def gpu(model: WhisperModel) -> Iterator[OnGpu]:
    weights = model.model
    pretended = OnGpu(weights)
    model.model = cast("Any", pretended)
    yield pretended
    model.model = weights


def windows() -> list[Window]:
    speech = decode(JFK.read_bytes())
    parts = [speech, speech[: int(2.3 * RATE)], speech[: 8 * RATE], speech[3 * RATE :]]
    return [Window(Pcm(part), language="en") for part in parts]


def texts(engine: WhisperTranscriber) -> list[str]:
    results = engine.transcribe(windows(), OPTIONS)
    return [folded("".join(segment.text for segment in result.segments)) for result in results]


def folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def test_a_batch_is_encoded_at_once_and_says_what_the_cpu_says(
    model: WhisperModel, gpu: OnGpu, whisper_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper, "cores", lambda: 4)
    engine = WhisperTranscriber(model, adaptive=True)
    assert engine.device == "cuda"
    gpu.encoded.clear()
    said = texts(engine)
    assert gpu.encoded[:2] == [(1, 1000), (3, 2000)]
    assert said == texts(load(whisper_folder, EngineOptions(device="cpu")))
    assert said[0] == folded(JFK_TEXT)


def test_a_width_that_was_not_measured_gets_whole_windows(
    model: WhisperModel, gpu: OnGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_encoder, "MEASURED_WIDTHS", ())
    engine = WhisperTranscriber(model, adaptive=True)
    assert engine.lengths.of(3) == engine.lengths.of(29)
    gpu.encoded.clear()
    texts(engine)
    assert set(gpu.encoded) == {(4, 3000)}
    gpu.encoded.clear()
    engine.transcribe(windows()[:2], TranscribeOptions(draft=True, beam_size=1, temperatures=(0.0,)))
    assert {frames for _, frames in gpu.encoded} == {1000, 2000}


def test_when_memory_ends_batches_are_halved_and_nothing_is_lost(
    model: WhisperModel, gpu: OnGpu, caplog: pytest.LogCaptureFixture
) -> None:
    engine = WhisperTranscriber(model)
    said = texts(engine)
    gpu.room = 1
    gpu.encoded.clear()
    with caplog.at_level(logging.WARNING):
        assert texts(engine) == said
    assert [rows for rows, _ in gpu.encoded] == [4, 2, 1, 1, 1, 1]
    assert "batches are now of 1" in caplog.text
    gpu.room = 0
    with pytest.raises(RuntimeError, match="out of memory"):
        texts(engine)


def test_a_request_with_many_beams_makes_no_batch_of_others_small(model: WhisperModel, gpu: OnGpu) -> None:
    engine = WhisperTranscriber(model)
    gpu.room = 1
    silence = [Window(Pcm(np.zeros(RATE, np.float32)), language="en")] * 2
    engine.transcribe(silence, TranscribeOptions(beam_size=20, temperatures=(0.0,)))
    gpu.room = 100
    gpu.encoded.clear()
    engine.transcribe(silence, TranscribeOptions(temperatures=(0.0,)))
    assert [rows for rows, _ in gpu.encoded] == [2]


def test_features_of_all_windows_are_computed_before_the_first_round(
    model: WhisperModel, gpu: OnGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper, "cores", lambda: 4)
    engine = WhisperTranscriber(model)
    prepared = engine.prepare(windows()[0])
    asked: list[int] = []
    features = engine._features.of_all

    def counted(sounds: Sequence[Samples]) -> list[Samples]:
        asked.append(len(sounds))
        return features(sounds)

    monkeypatch.setattr(engine._features, "of_all", counted)
    engine.transcribe([prepared, *windows()[1:]], OPTIONS)
    assert asked == [3]
    assert np.array_equal(cast("Any", prepared.features), features([windows()[0].pcm.samples])[0])
