"""Antiphon beside plain faster-whisper on a GPU, as a report: one command, below ten minutes.

    make bench-gpu                                    # large v3, on the first GPU
    .venv/bin/python -m bench.bench_gpu --shape large-v3-turbo
    .venv/bin/python -m bench.bench_gpu --device cpu --shape smallest --seconds 2 --minutes 1   # does it run?

With the weights of the model in the storage folder (`antiphon models pull whisper-large-v3`) it runs those,
on real speech if `--clips FOLDER` has some. Otherwise it makes models of the same shape with random weights
that write as many tokens to every window as asked for (`bench/shaped_whisper.py`), and the report says so.
Writes `report.json` and `report.md` into `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench import gpu_measures
from bench.gpu_figures import Figure, Load
from bench.gpu_live import live
from bench.gpu_measures import PlainWhisper
from bench.gpu_onnx import devices, onnx_measures
from bench.gpu_page import page
from bench.shaped_whisper import SHAPES, make
from bench.stt_sides import Ours, read_clips
from engines.gpus import alike, ask, driver, obstacle
from tests.conftest import JFK, ROOT
from tests.support.server import running
from tests.support.sound import RATE, decode, wav

CLIP_SECONDS = 4.7
SHORT_TOKENS, LONG_TOKENS = 14, 80
"""Tokens of speech of 4.7 and of 30 seconds, about three a second."""
PIPELINE_ROWS = 16
Measure = Callable[[Ours, PlainWhisper, Load], list[Figure]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--gpu", type=int, help="number of the GPU; default: the first that is mostly free")
    parser.add_argument("--shape", choices=SHAPES, default="large-v3")
    parser.add_argument("--weights", type=Path, help="folder of a CTranslate2 model to use instead")
    parser.add_argument("--clips", type=Path, help="folder of speech; default: a speech in the repository")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measure of clients")
    parser.add_argument("--clients", type=int, nargs="+", default=[32, 128], help="numbers of clients")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of a long file")
    parser.add_argument("--files", type=int, default=16, help="long files at once")
    parser.add_argument("--limit", type=float, default=540, help="seconds; then no further measure begins")
    parser.add_argument("--sessions", type=int, default=32, help="live sessions at once")
    parser.add_argument("--storage", type=Path, default=ROOT / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/gpu", help="folder of the report")
    chosen = parser.parse_args()
    if chosen.device == "cuda":
        problem = take_one_gpu(chosen.gpu)
        if problem:
            parser.exit(1, f"{problem}. `--device cpu --shape smallest` shows that the bench runs.\n")
    report = measure(chosen)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (chosen.out / "report.md").write_text(page(report))
    print(page(report))


def take_one_gpu(number: int | None) -> str:
    """Hides all GPUs but one from this process and from the servers that it starts, so that both sides have
    the same one. Returns why that is impossible, or an empty text.
    """
    found = ask()
    if isinstance(found, str):
        return f"The NVIDIA driver does not answer ({found})" if found else "There is no NVIDIA driver here"
    chosen = alike(found.gpus)[0] if number is None else number
    if problem := obstacle(found, [chosen]):
        return f"The GPU cannot be used: {problem}"
    os.environ |= {"CUDA_VISIBLE_DEVICES": found.gpus[chosen].uuid, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return ""


class Report:
    """The measurements so far. If one fails, the report says so, and the others go on."""

    def __init__(self, limit: float) -> None:
        """`limit`: after so many seconds no further measurement begins."""
        self.figures: list[Figure] = []
        self.failed: list[str] = []
        self._limit = limit
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def add(self, name: str, measured: Callable[[], list[Figure]]) -> None:
        if self.seconds > self._limit:
            self.failed.append(f"{name}: the time was up (`--limit`)")
            return
        try:
            figures = measured()
        except Exception as failure:  # noqa: BLE001 - memory that ends, for example, ends one measure
            self.failed.append(f"{name}: {type(failure).__name__}: {failure}")
            print(self.failed[-1], flush=True)
            return
        for figure in figures:
            print(f"{figure.name}: {figure.ours:.3g} {figure.unit}", flush=True)
        self.figures += figures


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Runs all measurements. Returns the report as it is written in JSON."""
    report, load, weights = Report(chosen.limit), speech(chosen), real_weights(chosen)
    with tempfile.TemporaryDirectory() as folder:
        for tokens, measures in (
            (SHORT_TOKENS, short_measures(chosen)),
            (LONG_TOKENS, long_measures()),
        ):
            known = chosen.storage / "weights/whisper-base"
            model = weights or make(Path(folder) / str(tokens), SHAPES[chosen.shape], tokens, known)
            plain = PlainWhisper(model, chosen.device, PIPELINE_ROWS)
            plain.single(
                load.clip
            )  # on a new GPU the driver compiles now, before the start of a server is timed
            with serving(chosen, model, Path(folder)) as server:
                for one in measures:
                    report.add(_name(one), partial(one, server, plain, load))
            del plain
        for device in devices():
            for one_of_onnx in onnx_measures(chosen.storage, load, device):
                report.add(f"speech and speakers on {device}", one_of_onnx)
    return {
        "machine": machine(chosen),
        "model": described(chosen, weights),
        "figures": [asdict(f) for f in report.figures],
        "failed": report.failed,
        "seconds": round(report.seconds),
    }


def _name(measured: Measure) -> str:
    return str(getattr(measured, "func", measured).__name__)


def short_measures(chosen: argparse.Namespace) -> tuple[Measure, ...]:
    def sessions(server: Ours, _: PlainWhisper, load: Load) -> list[Figure]:
        return live(server, load, chosen.sessions)

    clients = (partial(gpu_measures.clients, count=count) for count in chosen.clients)
    return gpu_measures.lone, *clients, sessions


def long_measures() -> tuple[Measure, ...]:
    return gpu_measures.long_file, gpu_measures.files, gpu_measures.first_sound


@contextmanager
def serving(chosen: argparse.Namespace, model: Path, folder: Path) -> Iterator[Ours]:
    """A server whose `whisper-1` is the model."""
    settings = {
        "STORAGE_DATABASE_URL": f"sqlite:///{folder}/antiphon.db",
        "MODELS_ALIASES": f'{{ "whisper-1" = {json.dumps(str(model))} }}',
        "MODELS_PRELOAD": "whisper-1,piper-en-us-joe-medium",
        "TRANSCRIPTION_DEVICE": chosen.device,
        "REALTIME_SESSIONS": str(chosen.sessions),
    }
    with running(chosen.storage, folder / "log", **settings) as server:
        ours = Ours(server)
        try:
            yield ours
        finally:
            ours.close()


def real_weights(chosen: argparse.Namespace) -> Path | None:
    """The folder of the real model of that shape, if its weights are on this machine."""
    if chosen.weights:
        return Path(chosen.weights)
    folder = chosen.storage / "weights" / f"whisper-{chosen.shape}"
    return folder if chosen.shape != "base" and (folder / "model.bin").is_file() else None


def speech(chosen: argparse.Namespace) -> Load:
    if chosen.clips:
        story = read_clips(chosen.clips).long(chosen.minutes * 60)
    else:
        story = np.resize(decode(JFK.read_bytes()), int(chosen.minutes * 60 * RATE))
    return Load(
        clip=wav(story[: int(CLIP_SECONDS * RATE)]),
        long=wav(story),
        long_seconds=chosen.minutes * 60,
        seconds=chosen.seconds,
        files=chosen.files,
    )


def machine(chosen: argparse.Namespace) -> dict[str, Any]:
    """The kind of machine: processor, GPU, versions. Nothing in it identifies the owner."""
    found = driver() if chosen.device == "cuda" else None
    gpu = found.gpus[0] if found and found.gpus else None
    return {
        "device": gpu.name if gpu else f"CPU ({platform.machine()})",
        "memory_bytes": gpu.memory if gpu else None,
        "driver": found.version if found else None,
        "python": platform.python_version(),
        "ctranslate2": version("ctranslate2"),
        "faster_whisper": version("faster-whisper"),
    }


def described(chosen: argparse.Namespace, weights: Path | None) -> dict[str, Any]:
    return {
        "shape": chosen.shape if weights is None else weights.name,
        "random_weights": weights is None,
        "tokens": None if weights else {"clip": SHORT_TOKENS, "window": LONG_TOKENS},
    }


if __name__ == "__main__":
    main()
