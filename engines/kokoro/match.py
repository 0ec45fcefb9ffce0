"""The blend of Kokoro's stock voices that comes closest to a speaker: a matched voice, not a clone.

Non-negative least squares (Lawson, Hanson 1974) over the stock voices' speaker vectors. The vectors were
computed once, with `dvector.py`, by `bench/kokoro_speakers.py`, and lie beside this file.

Law: vectors in, weights out; loads no network.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.contracts import Synthesizer
from engines.errors import EngineError
from engines.types import SAMPLE_RATE, Samples, SpeakerSample, VoiceProfile

ENGINE = "kokoro"
MODEL = "kokoro-82m"
RATE = SAMPLE_RATE
LOADS = False
SPEAKERS = Path(__file__).with_name("speakers.npz")
KEPT = 8
"""Voices in a blend at most; many small shares blur it."""
STEPS = 2000
PREFIXES = {"en": "ab", "es": "e", "fr": "f", "hi": "h", "it": "i", "ja": "j", "pt": "p", "zh": "z"}
"""Voices of other languages carry an accent into a blend: the sample's own language is preferred."""


def enroll(sample: SpeakerSample, synthesizer: Synthesizer | None = None) -> VoiceProfile:
    """A blend for the sample's speaker. Raises `EngineError`."""
    speaker, language = sample.speaker, sample.language
    names, vectors = _stock()
    if speaker.shape != vectors.shape[1:]:
        raise EngineError("The speaker encoder is not the one that the stock voices were measured with.")
    prefixes = PREFIXES.get(language[:2].lower(), "ab")
    own = [i for i, name in enumerate(names) if name[0] in prefixes] or list(range(len(names)))
    weights = nonnegative(vectors[own], speaker)
    best = np.argsort(weights)[::-1][:KEPT]
    kept = {
        names[own[i]]: round(float(weights[i] / weights[best].sum()), 4) for i in best if weights[i] > 1e-3
    }
    if not kept:
        raise EngineError("No blend of voices comes near this speaker.")
    blend = sum(share * vectors[names.index(name)] for name, share in kept.items())
    similarity = float(np.dot(np.asarray(blend), speaker) / np.linalg.norm(np.asarray(blend)))
    return VoiceProfile(ENGINE, json.dumps(kept).encode(), next(iter(kept)), similarity)


def nonnegative(vectors: Samples, target: Samples) -> NDArray[np.float64]:
    """Weights of at least 0 that bring the sum of `vectors` nearest to `target`: projected gradient steps."""
    gram = (vectors @ vectors.T).astype(np.float64)
    aim = (vectors @ target).astype(np.float64)
    step = 1.0 / float(np.linalg.eigvalsh(gram)[-1])
    weights = np.full(len(vectors), 1.0 / len(vectors))
    for _ in range(STEPS):
        weights = np.maximum(0.0, weights - step * (gram @ weights - aim))
    return weights


@cache
def _stock() -> tuple[list[str], Samples]:
    with np.load(SPEAKERS) as kept:
        return [str(name) for name in kept["names"]], np.asarray(kept["vectors"], np.float32)
