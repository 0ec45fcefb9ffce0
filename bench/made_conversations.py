"""Makes conversations whose turns are known: of real readers, and of Kokoro's voices.

    .venv/bin/python -m bench.made_conversations readers FOLDER --clips CLIPS
    .venv/bin/python -m bench.made_conversations kokoro FOLDER
    .venv/bin/python -m bench.made_conversations heldout FOLDER

`readers`: the 24 conversations by which the distance from which clusters are two people was chosen
(docs/decisions/0006-diarization.md), so figures on them are no proof of it. CLIPS holds clips whose names
begin with the reader and a hyphen. Half of the conversations have other levels for each reader, noise, and
a telephone's band.
`kokoro`: those of two to eight of Kokoro's voices in `bench_diarization`.
`heldout`: those of four, six and eight voices that no other conversation has, by which nothing was chosen.
Seeds are fixed, so the same clips and weights give the same conversations.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal

from engines.types import SAMPLE_RATE, Samples
from tests.conftest import ROOT
from tests.support.conversations import Conversation, Said, kokoro, talk
from tests.support.sound import decode

GAPS = (-0.3, 0.1, 0.2, 0.4, 0.8, 1.5)
"""Seconds between two turns; negative ones overlap."""
VOICES = ("af_heart", "am_michael", "bf_emma", "bm_george", "af_nova", "am_onyx", "bf_alice", "bm_fable")
HELD_OUT = [
    *("af_alloy", "af_aoede", "af_bella", "af_sarah", "af_sky", "am_adam"),
    *("am_echo", "am_fenrir", "am_liam", "bf_lily", "bm_daniel", "bm_lewis"),
]
HELD_OUT_TALKS = ((504, 4, 24), (506, 6, 24), (508, 8, 24), (604, 4, 16), (606, 6, 30), (608, 8, 32))
"""Seed, voices and sentences of each conversation."""
TELEPHONE_HERTZ = (300, 3400)
NOISE = 0.004
"""Standard deviation of the noise on the filtered conversations."""
LEVELS_DECIBELS = (-8, 4)
"""Range of the readers' levels in the filtered conversations, in decibels."""
SILENCE_SHARE = 0.04
"""Samples below this share of a clip's loudest one are silence at its edges."""


@dataclass(frozen=True)
class _Plan:
    """One conversation of readers."""

    seed: int
    readers: int
    turns: int
    seconds: tuple[float, ...]
    """Lengths that a turn may have."""


READERS_TALKS = (
    _Plan(301, 2, 14, (2, 3, 5)),
    _Plan(302, 2, 24, (1, 1.5, 2, 4)),
    _Plan(303, 3, 18, (1, 2, 4, 6)),
    _Plan(304, 3, 15, (2, 4, 8)),
    _Plan(305, 4, 20, (1, 2, 3, 5)),
    _Plan(306, 4, 24, (2, 4, 6)),
    _Plan(307, 5, 25, (1, 2, 3, 4)),
    _Plan(308, 5, 20, (2, 4)),
    _Plan(309, 6, 24, (2, 3, 5)),
    _Plan(310, 7, 28, (1, 2, 3, 5)),
    _Plan(311, 1, 10, (3, 6, 8)),
    _Plan(312, 1, 14, (1, 2, 4)),
)
FILTERED_SEED = 1000
"""Added to the seed of a conversation that is filtered."""

Clips = Mapping[str, Sequence[Samples]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=("readers", "kokoro", "heldout"))
    parser.add_argument("folder", type=Path, help="where sound, .rttm and .stm are written")
    parser.add_argument("--clips", type=Path, help="clips of readers")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    if chosen.kind == "kokoro":
        make_kokoro(chosen.folder)
    elif chosen.kind == "heldout":
        make_held_out(chosen.folder)
    elif chosen.clips is None:
        parser.error("readers needs --clips")
    else:
        make_readers(chosen.clips, chosen.folder)


def make_readers(clips: Path, folder: Path) -> None:
    readers: dict[str, list[Samples]] = defaultdict(list)
    for path in sorted(clips.glob("*.flac")):
        readers[path.name.partition("-")[0]].append(decode(path.read_bytes()))
    for plan in READERS_TALKS:
        _read(readers, plan).write(folder / f"readers_{plan.readers}_{plan.seed}.wav")
        _filtered(readers, plan).write(folder / f"filtered_{plan.readers}_{plan.seed}.wav")


def make_kokoro(folder: Path) -> None:
    def plan(count: int) -> tuple[Sequence[str], list[str]]:
        return VOICES[:count], random.Random(count).sample(_sentences(), 24)

    _speak({f"kokoro_{count}": (count, *plan(count)) for count in (2, 3, 4, 6, 8)}, folder)


def make_held_out(folder: Path) -> None:
    plans = {}
    for seed, voices, count in HELD_OUT_TALKS:
        chance = random.Random(seed)
        talkers, texts = chance.sample(HELD_OUT, voices), chance.sample(_sentences(), count)
        plans[f"heldout_{voices}_{seed}"] = (seed, talkers, texts)
    _speak(plans, folder)


def _sentences() -> list[str]:
    return (ROOT / "tests/data/sentences.txt").read_text().splitlines()


def _speak(plans: Mapping[str, tuple[int, Sequence[str], Sequence[str]]], folder: Path) -> None:
    """Writes the conversations of `plans` (name -> seed, voices, texts). Existing ones are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    say = None
    for name, (seed, voices, texts) in plans.items():
        path = folder / f"{name}.wav"
        if path.exists():
            continue
        say = say or kokoro(ROOT / "data/weights/kokoro-82m")
        talk(voices, texts, say, seed, GAPS).write(path)
        print(path, flush=True)


def _read(clips: Clips, plan: _Plan) -> Conversation:
    chance = random.Random(plan.seed)
    names = chance.sample(sorted(clips), plan.readers)
    return _joined(_Reader.all(clips, names, chance), plan, chance, dict.fromkeys(names, 1.0))


def _filtered(clips: Clips, plan: _Plan) -> Conversation:
    seed = plan.seed + FILTERED_SEED
    chance = random.Random(seed)
    names = chance.sample(sorted(clips), plan.readers)
    readers = _Reader.all(clips, names, chance)
    levels = {name: 10 ** (chance.uniform(*LEVELS_DECIBELS) / 20) for name in names}
    clean = _joined(readers, plan, chance, levels)
    noise = np.random.default_rng(seed).normal(0, NOISE, len(clean.samples)).astype(np.float32)
    band = scipy.signal.butter(4, TELEPHONE_HERTZ, "band", fs=SAMPLE_RATE, output="sos")
    heard = scipy.signal.sosfilt(band, clean.samples + noise).astype(np.float32)
    return Conversation(heard, clean.turns)


class _Reader:
    """The clips of one reader as one long reading: each turn continues where the last one ended."""

    def __init__(self, clips: Sequence[Samples], first: int) -> None:
        self._clips = clips
        self._clip = first
        self._at = 0

    @classmethod
    def all(cls, clips: Clips, names: Sequence[str], chance: random.Random) -> dict[str, _Reader]:
        return {name: cls(clips[name], chance.randrange(len(clips[name]))) for name in names}

    def turn(self, seconds: float) -> Samples:
        if self._at + seconds * SAMPLE_RATE > len(self._clips[self._clip % len(self._clips)]):
            self._clip, self._at = self._clip + 1, 0
        begin, self._at = self._at, self._at + int(seconds * SAMPLE_RATE)
        return _trimmed(self._clips[self._clip % len(self._clips)][begin : self._at])


def _joined(
    readers: dict[str, _Reader], plan: _Plan, chance: random.Random, levels: Mapping[str, float]
) -> Conversation:
    at, turns, sounds = 0.5, [], []
    for name in _order(list(readers), plan.turns, chance):
        sound = readers[name].turn(chance.choice(plan.seconds)) * np.float32(levels[name])
        turns.append(Said(at, at + len(sound) / SAMPLE_RATE, name))
        sounds.append((round(at * SAMPLE_RATE), sound))
        at += len(sound) / SAMPLE_RATE + chance.choice(GAPS)
    whole = np.zeros(round((at + 1.0) * SAMPLE_RATE), np.float32)
    for begin, sound in sounds:
        whole[begin : begin + len(sound)] += sound
    return Conversation(whole, tuple(turns))


def _order(names: Sequence[str], turns: int, chance: random.Random) -> Iterator[str]:
    """Rounds in which each speaks once, in random order."""
    rounds = -(-turns // len(names))
    order = [name for _ in range(rounds) for name in chance.sample(list(names), len(names))]
    yield from order[:turns]


def _trimmed(samples: Samples) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > SILENCE_SHARE * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


if __name__ == "__main__":
    main()
