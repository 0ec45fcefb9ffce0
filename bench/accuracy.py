"""Word and character error rates, ours beside plain faster-whisper's, with the same weights and beam.

    python -m bench.accuracy FOLDER...

References are taken from `NAME.txt` beside `NAME.flac` (.wav, .mp3 ...) or `NAME.stm`, or, for 56 clips of
LibriSpeech, from `librispeech.tsv`, which was typed by hand after the books that are read and is not the
corpus's own text. Where there is none, the two are compared with each other: the difference says that they
differ, not who is right.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jiwer

from app.container import Container
from app.domain import TranscriptionJob, VadOptions
from app.settings.load import load_settings
from app.settings.one_process import in_one_process
from tests.conftest import JFK, JFK_TEXT

LIBRISPEECH = Path(__file__).with_name("librispeech.tsv")
SOUND = {".flac", ".wav", ".mp3", ".ogg", ".m4a", ".opus", ".webm"}


@dataclass(frozen=True)
class Heard:
    """What one system recognised in one file."""

    text: str
    seconds: float
    """Seconds that the transcription took."""


def plain(text: str) -> str:
    """Lower case, no punctuation, one space between words."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return " ".join(re.sub(r"[^\w\s']", " ", text).split())


def reference(path: Path) -> str | None:
    if path == JFK or path.name == "jfk.flac":
        return JFK_TEXT
    if path.with_suffix(".txt").exists():
        return path.with_suffix(".txt").read_text("utf-8")
    if path.with_suffix(".stm").exists():
        lines = path.with_suffix(".stm").read_text("utf-8").splitlines()
        rows = sorted((line.split(maxsplit=5) for line in lines), key=lambda row: float(row[3]))
        return " ".join(row[5] for row in rows)
    return _librispeech().get(path.stem)


@cache
def _librispeech() -> dict[str, str]:
    """The texts of clips of LibriSpeech, by the names of their files."""
    lines = LIBRISPEECH.read_text("utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines)


async def ours(container: Container, path: Path, job: TranscriptionJob) -> Heard:
    began = time.monotonic()
    with path.open("rb") as file:
        transcript = await container.transcription.transcribe(job, file)
    return Heard(transcript.text, time.monotonic() - began)


def theirs(model: Any, path: Path, language: str | None, beam: int) -> Heard:
    began = time.monotonic()
    segments, _ = model.transcribe(str(path), language=language, beam_size=beam)
    return Heard("".join(segment.text for segment in segments), time.monotonic() - began)


def errors(truth: list[str], said: list[str]) -> tuple[float, float]:
    """Word and character error rate over all pairs, in per cent."""
    return 100 * float(jiwer.wer(truth, said)), 100 * float(jiwer.cer(truth, said))


async def measure(paths: list[Path], options: argparse.Namespace) -> None:
    from faster_whisper import WhisperModel

    container = Container(in_one_process(load_settings()))
    folder = container.weights.require("whisper-base")
    model = WhisperModel(str(folder), device=options.device, compute_type=options.compute, cpu_threads=2)
    job = TranscriptionJob(
        model="whisper-base", language=options.language, beam_size=options.beam, vad=VadOptions()
    )
    rows: list[tuple[str, str, str]] = []
    spent = [0.0, 0.0]
    print(f"{'file':40} {'ours WER':>9} {'plain WER':>9} {'differ':>7}")
    for path in paths:
        mine = await ours(container, path, job)
        other = theirs(model, path, options.language, options.beam or 5)
        spent = [spent[0] + mine.seconds, spent[1] + other.seconds]
        truth, said, beside = reference(path), plain(mine.text), plain(other.text)
        differ = 100 * float(jiwer.wer(beside or "-", said or "-"))
        if truth is None:
            print(f"{path.name[:40]:40} {'':>9} {'':>9} {differ:6.1f} %")
            continue
        rows.append((plain(truth), said, beside))
        pair = [errors([plain(truth)], [text])[0] for text in (said, beside)]
        print(f"{path.name[:40]:40} {pair[0]:7.1f} % {pair[1]:7.1f} % {differ:6.1f} %")
    if rows:
        for name, index in (("ours", 1), ("plain faster-whisper", 2)):
            wer, cer = errors([row[0] for row in rows], [row[index] for row in rows])
            print(f"{name}: WER {wer:.2f} %, CER {cer:.2f} % over {len(rows)} files with references")
    print(f"time, ours / plain: {spent[0] / spent[1]:.2f}")
    await container.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="default: the clip in this repository")
    parser.add_argument("--language", help="default: detected by both")
    parser.add_argument("--beam", type=int, help="default: 5 for both")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compute", default="int8")
    options = parser.parse_args()
    paths = [path for folder in options.folders for path in sorted(folder.rglob("*")) if path.suffix in SOUND]
    asyncio.run(measure(paths or [JFK], options))


if __name__ == "__main__":
    main()
