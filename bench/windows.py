"""Are short windows as accurate as full windows with a beam?

    python -m bench.made_speech MADE
    python -m bench.windows MADE --variants clean,white12,pink5,babble8,fast,slow
    python -m bench.windows FOLDER        # clips without a text beside them: how far do results differ?

Each recording is cut into windows as the server does it (with `--longest`, the engine under test gets
shorter ones), and goes through both engines in turn. Prints word errors (in Chinese and Japanese: of
characters), words unlike those of full windows, and CPU time. A little silence before a clip changes single
words in either engine (`--later 0,0.05,0.1`): differences that are smaller than those between two runs with
full windows are chance.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from app.audio.cut_windows import WindowCutter
from app.domain import VadOptions
from app.services.steps.detect_and_cut import cut_rules
from bench.accuracy import SOUND, plain, reference
from engines import catalog
from engines.types import EngineOptions, Pcm, TranscribeOptions, Window
from tests.conftest import ROOT
from tests.support.sound import RATE, Floats, decode, stretched

LONGEST = 30.0
FULL, CHEAP = "full windows, beam 5", "under test"
"""The first one is CTranslate2 alone, as faster-whisper runs it."""
LATER = "the same, later"
"""Full windows, compared with themselves without the silence of the first `--later`: what chance does."""
BY_CHARACTER = ("ja", "zh")


@dataclass
class Score:
    """The errors and the cost of one engine over many clips."""

    errors: int = 0
    words: int = 0
    """Words of clips whose text is known; errors are counted in these only."""
    differ: int = 0
    """Words unlike those of full windows."""
    compared: int = 0
    """Words of full windows."""
    cpu: float = 0.0
    texts: list[str] = field(default_factory=list)


def noisy(clip: Floats, kind: str, level: float, others: list[Floats], seed: int) -> Floats:
    """The clip with noise. `kind`: white, pink or babble (other clips). `level`: signal-to-noise ratio,
    in dB.
    """
    random = np.random.default_rng(seed)
    count = len(clip)
    if kind == "babble":
        chosen = random.choice(len(others), 4, replace=False)
        sound = sum((np.resize(others[i], count) for i in chosen), np.zeros(count))
    elif kind == "pink":
        spectrum = np.fft.rfft(random.normal(size=count))
        sound = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), count)
    else:
        sound = random.normal(size=count)
    power = np.mean(clip**2) / np.mean(sound**2) / 10 ** (level / 10)
    return np.asarray(clip + sound * np.sqrt(power), np.float32)


def varied(clip: Floats, variant: str, others: list[Floats], seed: int) -> Floats:
    if variant == "clean":
        return clip
    if variant in ("fast", "slow"):
        return stretched(clip, 1.25 if variant == "fast" else 0.8)
    kind = variant.rstrip("0123456789")
    return noisy(clip, kind, float(variant.removeprefix(kind)), others, seed)


def windows(clip: Floats, language: str | None, detector: Any, longest: float = LONGEST) -> Iterator[Window]:
    stream, cutter = detector.open(), WindowCutter(cut_rules(VadOptions(), longest))
    clip = np.pad(clip, (RATE // 3, RATE // 3))
    cuts = [*cutter.feed(clip, stream.feed(clip)), *cutter.flush(stream.flush())]
    for cut in cuts:
        yield Window(Pcm(cut.samples), cut.start, language)


def heard(engine: Any, clip: list[Window], options: TranscribeOptions) -> tuple[str, float]:
    """Text and CPU seconds. The first window with text tells the language of all, as in the server."""
    began, text, language = time.process_time(), "", None
    for window in clip:
        told = replace(window, language=window.language or language)
        result = engine.transcribe([told], options)[0]
        text += "".join(segment.text for segment in result.segments)
        language = language or (result.language.code if result.segments else None)
    return text, time.process_time() - began


def units(text: str, language: str) -> str:
    simple = plain(text)
    return " ".join(simple.replace(" ", "")) if language in BY_CHARACTER else simple


def wrong(truth: str, said: str) -> int:
    if not truth:
        return len(said.split())
    found = jiwer.process_words(truth, said or "-")
    return int(found.substitutions + found.deletions + found.insertions)


def score(name: str, text: str, cpu: float, scores: dict[str, Score], truth: str | None, full: str) -> None:
    mine = scores.setdefault(name, Score())
    mine.cpu += cpu
    mine.words += len((truth or "").split())
    mine.differ += wrong(full, text)
    mine.compared += len(full.split())
    mine.errors += wrong(truth, text) if truth is not None else 0


def report(title: str, scores: dict[str, Score], *, truths: bool) -> None:
    base = scores[FULL]
    print(f"{title}: {base.words} known words")
    for name, mine in scores.items():
        rate = f"{100 * mine.errors / max(1, mine.words):6.2f}" if truths else "      "
        share = 100 * mine.differ / max(1, mine.compared)
        unlike = f"unlike full {share:5.2f} % ({mine.differ} of {mine.compared})"
        cpu = f"CPU {mine.cpu / base.cpu:5.2f} ({mine.cpu:.1f} s)"
        print(f"{title:16} {name:22} WER {rate} %  {unlike}  {cpu}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--variants", default="clean")
    parser.add_argument("--later", default="0", help="seconds of silence before each clip, several by commas")
    parser.add_argument("--every", type=int, default=1, help="take every Nth clip")
    parser.add_argument("--model", type=Path, default=ROOT / "data/weights/whisper-base")
    parser.add_argument("--given", action="store_true", help="tell the language (made speech only)")
    parser.add_argument("--longest", type=float, default=LONGEST, help="seconds of a window under test")
    parser.add_argument("--greedy-first", action="store_true", help="greedy search first under test")
    parser.add_argument("--verbose", action="store_true", help="print what differs")
    chosen = parser.parse_args()
    paths = [path for folder in chosen.folder for path in sorted(folder.rglob("*")) if path.suffix in SOUND]
    paths = paths[:: chosen.every]
    sounds = [decode(path.read_bytes()) for path in paths]
    detector = catalog.speech_detector("silero")()
    load = catalog.transcriber("faster-whisper")
    beam = TranscribeOptions()
    cheap = TranscribeOptions(greedy_first=chosen.greedy_first)
    on_one_core = EngineOptions(device="cpu", threads=1, workers=1)
    engines = [
        (FULL, load(chosen.model, replace(on_one_core, openvino=False)), beam),
        (CHEAP, load(chosen.model, replace(on_one_core, adaptive=True)), cheap),
    ]
    total: dict[str, Score] = {}
    first: dict[tuple[Path, str], str] = {}
    truths = False
    rounds = [
        (variant, float(late)) for variant in chosen.variants.split(",") for late in chosen.later.split(",")
    ]
    for variant, late in rounds:
        scores: dict[str, Score] = {}
        for number, (path, sound) in enumerate(zip(paths, sounds, strict=True)):
            code = path.name[:2] if path.name[2:3] == "-" else ""
            truth = reference(path)
            truths = truths or truth is not None
            clip = np.pad(varied(sound, variant, sounds, number), (int(late * RATE), 0))
            language = code or None if chosen.given else None
            full = ""
            for name, engine, options in engines:
                longest = LONGEST if name == FULL else chosen.longest
                text, cpu = heard(engine, list(windows(clip, language, detector, longest)), options)
                said = units(text, code)
                full = said if name == FULL else full
                known = units(truth, code) if truth is not None else None
                for table in (scores, total):
                    score(name, said, cpu, table, known, full)
                    if name == FULL and (path, variant) in first:
                        score(LATER, said, cpu, table, known, first[path, variant])
                if chosen.verbose and name == CHEAP and said != full:
                    print(f"  {path.name} {variant}\n    full : {full}\n    cheap: {said}")
            first.setdefault((path, variant), full)
        report(f"{variant} +{late:g} s", scores, truths=truths)
    report("all", total, truths=truths)


if __name__ == "__main__":
    main()
