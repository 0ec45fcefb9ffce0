"""What every speaker encoder must do: a speaker's clips lie together, another's apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.kokoro_speakers import at_16_khz
from engines import catalog
from engines.contracts import SpeakerEncoder
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, Samples, Utterance

pytestmark = pytest.mark.real
TEXTS = ("The old lighthouse stood above the bay.", "Nobody remembered who had planted the apple trees.")


THRESHOLDS = {"campplus": 0.5, "speakers": 0.5}
"""Cosine from which two clips are one speaker's, by encoder."""


@pytest.fixture(scope="module", params=THRESHOLDS)
def encoder(storage: Path, request: pytest.FixtureRequest) -> Iterator[tuple[SpeakerEncoder, float]]:
    """An encoder and its threshold; a diarizer is one too."""
    weights, options = storage / "weights", EngineOptions()
    made: SpeakerEncoder
    if request.param == "campplus":
        made = catalog.speaker_encoder("campplus")(weights / "pyannote-starter", options)
    else:
        made = catalog.diarizer("speakers").load(weights / "pyannote-starter", options)
    yield made, THRESHOLDS[request.param]
    made.close()


@pytest.fixture(scope="module")
def clips(storage: Path) -> dict[str, list[Samples]]:
    """Two sentences of each of three voices."""
    found: dict[str, list[Samples]] = {}
    for name, model, voice in (
        ("piper", "piper-en-us-joe-medium", "en_US-joe-medium"),
        ("kokoro", "kokoro-82m", "af_heart"),
        ("kokoro", "kokoro-82m", "bm_george"),
    ):
        made = catalog.synthesizer(name).load(storage / "weights" / model, EngineOptions())
        sounds = [made.synthesize(Utterance(text, voice, "en-US")) for text in TEXTS]
        found[voice] = [at_16_khz(sound) for sound in sounds]
    return found


Known = tuple[SpeakerEncoder, float]


def test_vectors_are_of_one_length(encoder: Known, clips: dict[str, list[Samples]]) -> None:
    vector = encoder[0].embed(Pcm(clips["af_heart"][0]))
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)


def test_speakers_are_told_apart(encoder: Known, clips: dict[str, list[Samples]]) -> None:
    vectors = {name: [encoder[0].embed(Pcm(clip)) for clip in both] for name, both in clips.items()}
    same = [float(a @ b) for a, b in vectors.values()]
    other = [
        float(a @ b)
        for one in vectors
        for two in vectors
        if one < two
        for a in vectors[one]
        for b in vectors[two]
    ]
    assert min(same) > encoder[1] > max(other)


def test_loudness_does_not_matter(encoder: Known, clips: dict[str, list[Samples]]) -> None:
    clip, embed = clips["af_heart"][0], encoder[0].embed
    assert float(embed(Pcm(clip)) @ embed(Pcm(clip * 0.05))) > 0.98


@pytest.mark.parametrize("samples", [0, 1, 100, SAMPLE_RATE // 10])
def test_little_or_no_sound_is_no_error(encoder: Known, samples: int) -> None:
    assert np.isfinite(encoder[0].embed(Pcm(np.zeros(samples, np.float32)))).all()
