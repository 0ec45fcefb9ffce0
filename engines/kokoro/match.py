"""The blend of Kokoro's stock voices that sounds most like a speaker: a matched voice, not a clone.

Non-negative least squares (Lawson, Hanson 1974) over the stock voices' speaker vectors. The file of vectors
beside this one is computed with CAM++ by `bench/kokoro_speakers.py`.

Law: vectors in, weights out; no network is loaded here.
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
from engines.writing_scripts import primary_subtag

ENGINE = "kokoro"
MODEL = "kokoro-82m"
RATE = SAMPLE_RATE
LOADS = False
SPEAKERS = Path(__file__).with_name("speakers.npz")
MOST_VOICES = 8
"""The most stock voices in a blend; with many small weights, a blend has no character of its own."""
SMALLEST_WEIGHT = 1e-3
"""Least weight of a voice; voices with less are left out."""
SMALLEST_NUMBER = np.finfo(np.float64).tiny
PREFIXES = {"en": "ab", "es": "e", "fr": "f", "hi": "h", "it": "i", "ja": "j", "pt": "p", "zh": "z"}
"""Language -> first letters of the voices that speak it. Other voices would add an accent to the blend."""


def enroll(sample: SpeakerSample, synthesizer: Synthesizer | None = None) -> VoiceProfile:
    """A blend for the sample's speaker. Raises `EngineError`."""
    speaker, language = sample.speaker, sample.language
    names, vectors = _stock()
    if speaker.shape != vectors.shape[1:]:
        raise EngineError("The speaker encoder is not the one that the stock voices were measured with.")
    prefixes = PREFIXES.get(primary_subtag(language), "ab")
    own = [i for i, name in enumerate(names) if name[0] in prefixes] or list(range(len(names)))
    weights = nonnegative(vectors[own], speaker)
    if weights.max() <= SMALLEST_WEIGHT:  # unlike every voice: fit only the differences between voices
        weights = nonnegative(vectors[own] - vectors[own].mean(axis=0), speaker)
    largest = np.argsort(weights)[::-1][:MOST_VOICES]
    shares = {
        names[own[i]]: round(float(weights[i] / weights[largest].sum()), 4)
        for i in largest
        if weights[i] > SMALLEST_WEIGHT
    }
    if not shares:
        raise EngineError("No blend of voices comes near this speaker.")
    blend = np.asarray(sum(share * vectors[names.index(name)] for name, share in shares.items()))
    similarity = float(np.dot(blend, speaker) / np.linalg.norm(blend))
    return VoiceProfile(ENGINE, json.dumps(shares).encode(), next(iter(shares)), similarity)


def nonnegative(vectors: Samples, target: Samples) -> NDArray[np.float64]:
    """The weights, at least 0, with which the sum of `vectors` is nearest to `target`.

    SciPy has it too, but its module would stay in the server's process, with 25 MB.
    """
    columns, goal = vectors.T.astype(np.float64), target.astype(np.float64)
    weights, used = np.zeros(len(vectors)), np.zeros(len(vectors), bool)
    flat = 10 * max(columns.shape) * np.finfo(np.float64).eps * np.abs(columns).sum(axis=0).max()
    for _ in range(3 * len(vectors)):
        slopes = np.where(used, -np.inf, columns.T @ (goal - columns @ weights))
        if slopes.max() <= flat:
            break
        used[slopes.argmax()] = True
        while (nearest := _least_squares(columns, goal, used))[used].min(initial=np.inf) <= 0:
            falling = np.flatnonzero(used & (nearest <= 0))
            ways = weights[falling] / np.maximum(weights[falling] - nearest[falling], SMALLEST_NUMBER)
            weights += ways.min() * (nearest - weights)
            weights[falling[ways.argmin()]] = 0.0  # without rounding errors
            used &= weights > 0
        weights = nearest
    return weights


def _least_squares(
    columns: NDArray[np.float64], goal: NDArray[np.float64], used: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The weights of the `used` columns, of any sign, with which their sum is nearest; the others are 0."""
    weights = np.zeros(len(used))
    weights[used] = np.linalg.lstsq(columns[:, used], goal)[0]
    return weights


@cache
def _stock() -> tuple[list[str], Samples]:
    """The names of the stock voices, and their speaker vectors, one in each row."""
    with np.load(SPEAKERS) as file:
        return [str(name) for name in file["names"]], np.asarray(file["vectors"], np.float32)
