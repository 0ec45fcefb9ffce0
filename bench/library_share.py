"""How much of the engine's CPU time is the libraries' own: the limit of what can be gained around them.

    .venv/bin/python -m bench.library_share FOLDER [--minutes 5] [--ctranslate2]

Transcribes clips of the folder of 4 to 9 s one by one, with the language detected, and its longest recording
in batches of 8, on one thread. Prints CPU seconds for each call of CTranslate2 or OpenVINO, for all the rest,
and for a token that was written. `--ctranslate2`: without OpenVINO.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.bench_stt import commit
from bench.stt_sides import Speech, read_clips
from bench.windows import windows
from engines import catalog
from engines.types import EngineOptions, TranscribeOptions, Window
from tests.conftest import ROOT
from tests.support.sound import decode

ROWS = 8
CALLS = ("encode", "listen", "detect_language", "generate", "align")


class Counted:
    """A part of the engine, whose calls are counted in `cpu` and `tokens`."""

    def __init__(self, inner: Any, cpu: dict[str, float], tokens: list[int]) -> None:
        self._inner = inner
        self._cpu = cpu
        self._tokens = tokens

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return self._counted(name, value) if name in CALLS else value

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            began = time.process_time()
            result = call(*args, **options)
            self._cpu[name] += time.process_time() - began
            if name == "generate":
                self._tokens += [len(row.sequences_ids[0]) for row in result]
            return result

        return counted


def report(what: str, engine: Any, batches: list[list[Window]]) -> None:
    cpu, tokens = dict.fromkeys(CALLS, 0.0), list[int]()
    before = engine._rows.quick, engine._decoder, engine._model.model
    engine._rows.quick, engine._decoder, engine._model.model = (
        one and Counted(one, cpu, tokens) for one in before
    )
    began, words = time.process_time(), 0
    for batch in batches:
        for result in engine.transcribe(batch, TranscribeOptions()):
            words += sum(len(segment.text.split()) for segment in result.segments)
    total = time.process_time() - began
    engine._rows.quick, engine._decoder, engine._model.model = before
    told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in cpu.items() if seconds)
    a_token = 1000 * cpu["generate"] / max(1, sum(tokens))
    written = f"{sum(tokens)} tokens of {a_token:.1f} ms, {words} words"
    print(
        f"{what}: {total:.2f} CPU s ({told}; the rest {total - sum(cpu.values()):.2f}), {written}", flush=True
    )


def measure(speech: Speech, minutes: float, model: Path, *, openvino: bool) -> None:
    detector = catalog.speech_detector("silero")()
    options = EngineOptions(device="cpu", threads=1, workers=1, adaptive=True, openvino=openvino)
    engine: Any = catalog.transcriber("faster-whisper")(model, options)
    clips = [list(windows(decode(data), None, detector)) for data in speech.lone()]
    for clip in clips:  # computes the encoding of silence, and what OpenVINO prepares for each length
        engine.transcribe(clip, TranscribeOptions())
    report(f"{len(clips)} lone clips", engine, clips)
    long = list(windows(speech.long(60 * minutes), "en", detector))
    batches = [long[at : at + ROWS] for at in range(0, len(long), ROWS)]
    report(f"{minutes:g} minutes in batches of {ROWS}", engine, batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--model", type=Path, default=ROOT / "data/weights/whisper-base")
    parser.add_argument("--ctranslate2", action="store_true", help="without OpenVINO")
    chosen = parser.parse_args()
    print(f"commit {commit()}", flush=True)
    measure(read_clips(chosen.folder), chosen.minutes, chosen.model, openvino=not chosen.ctranslate2)


if __name__ == "__main__":
    main()
