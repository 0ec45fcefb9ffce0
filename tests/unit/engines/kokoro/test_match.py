"""Matched voices: a blend of the stock voices nearest to a speaker."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import nnls

from app.models.catalog import catalog
from engines.errors import EngineError
from engines.kokoro.match import MOST_VOICES, SPEAKERS, enroll, nonnegative
from engines.types import Pcm, SpeakerSample

NOTHING = Pcm(np.zeros(0, np.float32))


def stock() -> tuple[list[str], np.ndarray]:
    with np.load(SPEAKERS) as kept:
        return [str(name) for name in kept["names"]], kept["vectors"]


def test_every_stock_voice_was_measured() -> None:
    names, vectors = stock()
    wanted = {
        name.removesuffix(".bin") for f in catalog()["kokoro-82m"].files if (name := f.name).endswith(".bin")
    }
    assert set(names) == wanted
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(names)), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "language"), [("af_heart", "en-US"), ("bm_lewis", "en"), ("zm_yunxi", "zh-CN")]
)
def test_a_stock_voice_is_found_again(name: str, language: str) -> None:
    names, vectors = stock()
    found = enroll(SpeakerSample(NOTHING, vectors[names.index(name)], language))
    assert found.voice == name
    assert found.similarity > 0.99


def test_a_blend_is_nearer_than_any_one_voice() -> None:
    names, vectors = stock()
    mixed = vectors[names.index("af_bella")] + vectors[names.index("af_nova")]
    mixed = (mixed / np.linalg.norm(mixed)).astype(np.float32)
    found = enroll(SpeakerSample(NOTHING, mixed, "en"))
    shares = json.loads(found.data)
    assert len(shares) <= MOST_VOICES
    assert sum(shares.values()) == pytest.approx(1, abs=0.01)
    assert found.similarity > max(float(v @ mixed) for v in vectors)


def test_a_speaker_unlike_all_voices_gets_a_blend() -> None:
    """Real speakers may be at an angle of more than 90 degrees to every stock voice."""
    _, vectors = stock()
    opposite = -vectors.sum(axis=0)
    opposite = (opposite / np.linalg.norm(opposite)).astype(np.float32)
    assert (vectors @ opposite).max() < 0
    found = enroll(SpeakerSample(NOTHING, opposite, "en"))
    assert sum(json.loads(found.data).values()) == pytest.approx(1, abs=0.01)


def test_weights_are_not_negative() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(10, 32)).astype(np.float32)
    weights = nonnegative(vectors, rng.normal(size=32).astype(np.float32))
    assert (weights >= 0).all()
    assert weights.max() > 0


def test_the_weights_are_the_nearest_ones() -> None:
    """A small change of a weight never brings the blend nearer (the Karush-Kuhn-Tucker conditions)."""
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(10, 32)).astype(np.float32)
    target = rng.normal(size=32).astype(np.float32)
    weights = nonnegative(vectors, target)
    slopes = vectors @ (weights @ vectors - target)
    assert np.abs(slopes[weights > 0]).max() < 1e-4
    assert slopes[weights == 0].min() > -1e-4


def test_the_weights_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    for count, size in [(1, 3), (5, 3), (10, 32), (26, 192), (53, 192)]:
        for shift in (0.0, 0.5, -0.5):
            vectors = (rng.normal(size=(count, size)) + shift).astype(np.float32)
            target = rng.normal(size=size).astype(np.float32)
            theirs, _ = nnls(vectors.T.astype(np.float64), target.astype(np.float64))
            assert nonnegative(vectors, target) == pytest.approx(theirs, abs=1e-9)


def test_voices_that_are_alike_do_not_keep_it_busy() -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32), 3, axis=0)
    weights = nonnegative(vectors, np.array([1, 2, 0, -1], np.float32))
    assert weights @ vectors == pytest.approx([1, 2, 0, 0])


def test_another_encoder_is_refused() -> None:
    with pytest.raises(EngineError):
        enroll(SpeakerSample(NOTHING, np.ones(256, np.float32), "en"))
