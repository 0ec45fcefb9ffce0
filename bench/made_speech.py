"""Speech of our own making, with its text: many voices, seven languages, from one word to half a minute.

    python -m bench.made_speech FOLDER

Writes `LANGUAGE-NUMBER-VOICE.wav` and the text beside it. `bench.windows` and `bench.accuracy` take
the folder.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from engines import catalog
from engines.types import EngineOptions, Utterance
from tests.conftest import ROOT
from tests.support.sound import decode, wav

TEXTS = ROOT / "tests/data/utterances.toml"
HARVARD = ROOT / "tests/data/sentences.txt"
PIPER = "piper-en-us-joe-medium"


@dataclass(frozen=True)
class Clip:
    """A text to be spoken, and the voice."""

    name: str
    engine: str
    voice: str
    language: str
    text: str


def english() -> list[str]:
    """One sentence, two, and three long ones together."""
    lines = HARVARD.read_text("utf-8").splitlines()
    short, long = lines[:30], lines[30:]
    pairs = [f"{a} {b}" for a, b in zip(short[::3], short[1::3], strict=False)]
    return [*lines, *pairs, *(" ".join(long[at : at + 3]) for at in (0, 3, 6))]


def clips() -> Iterator[Clip]:
    for code, table in tomllib.loads(TEXTS.read_text("utf-8")).items():
        texts = table["sentences"] + (english() if code == "en" else [])
        for number, text in enumerate(texts):
            voice = table["voices"][number % len(table["voices"])]
            yield Clip(f"{code}-{number:03}-{voice}", "kokoro", voice, table["language"], text)
            if code == "en" and number % 2 == 0:
                yield Clip(f"en-{number:03}-joe", "piper", "", "en-US", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    models = {"kokoro": ROOT / "data/weights/kokoro-82m", "piper": ROOT / "data/weights" / PIPER}
    engines = {n: catalog.synthesizer(n).load(where, EngineOptions()) for n, where in models.items()}
    joe = catalog.synthesizer("piper").voices(models["piper"])[0].name
    for clip in track(list(clips()), "Speaking"):
        target = folder / f"{clip.name}.wav"
        if not target.exists():
            said = engines[clip.engine].synthesize(Utterance(clip.text, clip.voice or joe, clip.language))
            target.with_suffix(".txt").write_text(clip.text + "\n", "utf-8")
            target.write_bytes(wav(decode(wav(said.samples, said.rate))))


if __name__ == "__main__":
    main()
