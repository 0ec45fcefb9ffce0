"""Conversations made of single voices, with who speaks when (RTTM) and what they say (STM)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench.kokoro_speakers import at_16_khz
from engines import catalog
from engines.types import SAMPLE_RATE, EngineOptions, Samples, Utterance
from tests.support.sound import wav


@dataclass(frozen=True)
class Said:
    """One turn: its start and end in seconds, the speaker, and the words (empty if they are not known)."""

    start: float
    end: float
    speaker: str
    text: str = ""


@dataclass(frozen=True)
class Conversation:
    """Sound of `SAMPLE_RATE` hertz and its turns."""

    samples: Samples
    turns: tuple[Said, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    def write(self, path: Path) -> None:
        """Writes the sound to `path`, a .wav file, and the turns to an .rttm and an .stm file of the same
        name.
        """
        path.write_bytes(wav(self.samples))
        name = path.stem
        rttm = (
            f"SPEAKER {name} 1 {t.start:.3f} {t.end - t.start:.3f} <NA> <NA> {t.speaker} <NA> <NA>\n"
            for t in self.turns
        )
        path.with_suffix(".rttm").write_text("".join(rttm))
        stm = (f"{name} 1 {t.speaker} {t.start:.3f} {t.end:.3f} {t.text}\n" for t in self.turns)
        path.with_suffix(".stm").write_text("".join(stm))


Say = Callable[[str, str], Samples]
"""A function from a voice and a text to sound of `SAMPLE_RATE` hertz without silence at its ends."""


def talk(
    voices: Sequence[str], texts: Sequence[str], say: Say, seed: int, gaps: Sequence[float] = (0.2, 0.4, 0.8)
) -> Conversation:
    """A conversation in which every text is said once. In each round every voice speaks once, in random
    order. A negative gap makes turns overlap.
    """
    chance = random.Random(seed)
    rounds = -(-len(texts) // len(voices))
    order = [voice for _ in range(rounds) for voice in chance.sample(list(voices), len(voices))][: len(texts)]
    at, turns, sounds = 0.5, [], []
    for speaker, text in zip(order, texts, strict=True):
        sound = say(speaker, text)
        turns.append(Said(at, at + len(sound) / SAMPLE_RATE, speaker, text))
        sounds.append((round(at * SAMPLE_RATE), sound))
        at += len(sound) / SAMPLE_RATE + chance.choice(gaps)
    whole = np.zeros(round((at + 1.0) * SAMPLE_RATE), np.float32)
    for begin, sound in sounds:
        whole[begin : begin + len(sound)] += sound
    return Conversation(whole, tuple(turns))


@cache
def kokoro(folder: Path) -> Say:
    """The voices of Kokoro, whose weights are in `folder`. Nothing is spoken twice in one process."""
    engine = catalog.synthesizer("kokoro").load(folder, EngineOptions())

    @cache
    def say(voice: str, text: str) -> Samples:
        spoken = engine.synthesize(Utterance(text, voice, "en-US"))
        return _trimmed(at_16_khz(spoken))

    return say


def _trimmed(samples: Samples) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples
