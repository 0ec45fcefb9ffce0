"""Is our speech understood? Forty sentences in each voice, heard again by our own transcription.

.venv/bin/python -m bench.round_trip [--voices alloy,cedar] [--sentences 40]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import statistics
import time
from contextlib import aclosing

import jiwer

from app.container import Container
from app.domain import SpeechJob, TranscriptionJob, VadOptions
from app.settings.load import load_settings
from app.settings.one_process import in_one_process
from bench.accuracy import plain
from tests.conftest import ROOT

SENTENCES = (ROOT / "tests/data/sentences.txt").read_text().splitlines()


async def errors(container: Container, voice: str, sentence: str) -> float:
    """Number of word errors in one sentence."""
    opened = await container.speech.open(SpeechJob("tts-1", sentence, voice), "wav", whole=True)
    async with aclosing(opened), aclosing(opened.chunks()) as chunks:
        data = b"".join([part async for part in chunks])
    job = TranscriptionJob(model="whisper-1", language="en", vad=VadOptions())
    heard = await container.transcription.transcribe(job, io.BytesIO(data))
    found = jiwer.process_words(plain(sentence), plain(heard.text) or "-")
    return float(found.substitutions + found.deletions + found.insertions)


async def run(voices: list[str], sentences: list[str]) -> None:
    container = Container(in_one_process(load_settings()))
    words = sum(len(plain(sentence).split()) for sentence in sentences)
    rates = []
    print("| voice | speaks as | WER % |\n|---|---|---|", flush=True)
    for voice in voices:
        wrong = sum([await errors(container, voice, sentence) for sentence in sentences])
        rates.append(100 * wrong / words)
        name = container.voices.choose("tts-1", voice).voice.name
        print(f"| {voice} | {name} | {rates[-1]:.2f} |", flush=True)
    print(f"| all | | {statistics.mean(rates):.2f} |")
    await container.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--voices", default=",".join(load_settings().speech.voices))
    parser.add_argument("--sentences", type=int, default=len(SENTENCES))
    chosen = parser.parse_args()
    began = time.monotonic()
    # The last ten are long: a smaller number keeps some of them.
    step = max(1, len(SENTENCES) // chosen.sentences)
    asyncio.run(run(chosen.voices.split(","), SENTENCES[::step]))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
