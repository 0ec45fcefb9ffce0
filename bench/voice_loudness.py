"""How far the first utterance of a voice is from the voice's own loudness.

    .venv/bin/python -m bench.voice_loudness [--voices 8] [--sentences 12]

By so much the first answer of a voice is too loud or too quiet on a server with a new database (decision 14).
"""

from __future__ import annotations

import argparse

import numpy as np

from app.audio.measure_loudness import loudness
from engines.kokoro import engine as kokoro
from engines.types import EngineOptions, Utterance
from tests.conftest import ROOT

WEIGHTS = ROOT / "data/weights/kokoro-82m"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--voices", type=int, default=8)
    parser.add_argument("--sentences", type=int, default=12)
    chosen = parser.parse_args()
    sentences = (ROOT / "tests/data/sentences.txt").read_text().splitlines()[: chosen.sentences]
    synthesizer = kokoro.load(WEIGHTS, EngineOptions())
    english = [voice for voice in kokoro.voices(WEIGHTS) if voice.language.startswith("en")]
    off: list[float] = []
    means: list[float] = []
    print("| voice | LUFS | first utterance off by, mean | at most |\n|---|---|---|---|")
    for voice in english[:: max(1, len(english) // chosen.voices)][: chosen.voices]:
        sounds = [synthesizer.synthesize(Utterance(text, voice.name, voice.language)) for text in sentences]
        powers = 10 ** (np.array([loudness(sound) for sound in sounds]) / 10)
        mean = 10 * np.log10(np.average(powers, weights=[sound.seconds for sound in sounds]))
        away = np.abs(10 * np.log10(powers) - mean)
        off += away.tolist()
        means.append(float(mean))
        print(f"| {voice.name} | {mean:.1f} | {away.mean():.2f} dB | {away.max():.2f} dB |", flush=True)
    spread = max(means) - min(means)
    print(
        f"voices differ by {spread:.1f} dB; a first utterance is off by {np.mean(off):.2f} dB in the mean, ",
        end="",
    )
    print(f"{np.percentile(off, 95):.2f} dB at the 95th percentile, {max(off):.2f} dB at most")


if __name__ == "__main__":
    main()
