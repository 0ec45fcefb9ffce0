"""The speech engines with OpenVINO beside themselves without it: CPU seconds for a second of sound.

    .venv/bin/python -m bench.speech_networks [--threads 1] [--sentences 20] [--storage data]

OpenVINO is used even where the server leaves speech to ONNX Runtime, because bfloat16 is slow there.
Every sentence has another length and is said once by each, in turn, since both prepare something for a length
that they have not seen.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from unittest.mock import patch

from engines import catalog
from engines.common import openvino as openvino_networks
from engines.contracts import Synthesizer
from engines.openvino_library import computes_in_bfloat16
from engines.types import EngineOptions, Utterance
from tests.conftest import ROOT

SENTENCES = (ROOT / "tests/data/sentences.txt").read_text().splitlines()
MODELS = {"piper": ("piper-en-us-joe-medium", "en_US-joe-medium"), "kokoro": ("kokoro-82m", "af_heart")}


def cost(synthesizer: Synthesizer, voice: str, text: str) -> tuple[float, float, float]:
    """CPU seconds, seconds, and seconds of sound."""
    began, cpu = time.perf_counter(), time.process_time()
    sound = synthesizer.synthesize(Utterance(text, voice, "en-US"))
    return time.process_time() - cpu, time.perf_counter() - began, sound.seconds


def compare(name: str, folder: Path, voice: str, sentences: list[str], threads: int) -> None:
    both: list[Synthesizer] = []
    for openvino in (False, True):
        cpu = time.process_time()
        options = EngineOptions(threads=threads, openvino=openvino)
        both.append(catalog.synthesizer(name).load(folder, options))
        both[-1].synthesize(Utterance("Yes.", voice, "en-US"))
        print(f"{name}, openvino={openvino}: loaded after {time.process_time() - cpu:.2f} CPU s")
    costs: list[list[tuple[float, float, float]]] = [[], []]
    for number, text in enumerate(sentences):
        for which in (0, 1) if number % 2 else (1, 0):
            costs[which].append(cost(both[which], voice, text))
    spent, wall, sound = _totals(costs)
    print(
        f"{name}, {threads} threads: {spent[0] / sound[0]:.4f} CPU s for a second of sound without OpenVINO, "
        f"{spent[1] / sound[1]:.4f} with it; ratio {spent[1] / sound[1] * sound[0] / spent[0]:.3f}, "
        f"of the time {wall[1] / sound[1] * sound[0] / wall[0]:.3f}"
    )


def _totals(costs: list[list[tuple[float, float, float]]]) -> list[list[float]]:
    """Of each of the three columns, the sums without and with OpenVINO."""
    return [[sum(row[column] for row in rows) for rows in costs] for column in range(3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=20)
    parser.add_argument("--storage", type=Path, default=ROOT / "data")
    chosen = parser.parse_args()
    sentences = SENTENCES[:: max(1, len(SENTENCES) // chosen.sentences)]
    with patch.object(openvino_networks, "bfloat16_is_quicker", computes_in_bfloat16):
        for name, (model, voice) in MODELS.items():
            compare(name, chosen.storage / "weights" / model, voice, sentences, chosen.threads)


if __name__ == "__main__":
    main()
