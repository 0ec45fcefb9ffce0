"""`make bench-gpu` on a CPU with the smallest model: it runs, and both sides do equal work."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import pytest

from bench import bench_gpu
from bench.gpu_figures import Figure
from bench.gpu_measures import PlainWhisper
from bench.gpu_page import page
from bench.gpu_watch import watched
from bench.shaped_whisper import SHAPES, make
from bench.stt_sides import Plain
from engines.gpus import gpus
from engines.types import EngineOptions, Pcm, TranscribeOptions, Window
from engines.whisper.engine import load
from tests.conftest import JFK
from tests.support.fake_nvml import GIB, Card, Nvml
from tests.support.sound import decode
from tests.support.waiting import wait_until


@pytest.mark.real
@pytest.mark.parametrize("tokens", [14, 80])
def test_both_sides_write_as_many_tokens(whisper_folder: Path, tmp_path: Path, tokens: int) -> None:
    folder = make(tmp_path / "m", SHAPES["smallest"], tokens, whisper_folder)
    model = PlainWhisper(folder, "cpu", 8).model
    segments, told = model.transcribe(str(JFK), beam_size=5)
    written = [token for segment in segments for token in segment.tokens]
    assert (len(written), told.language) == (tokens + 2, "en")
    ours = load(folder, EngineOptions(device="cpu", adaptive=True))
    window = Window(Pcm(decode(JFK.read_bytes())), language=None)
    (result,) = ours.transcribe([window], TranscribeOptions(greedy_first=True))
    text = model.hf_tokenizer.decode([token for token in written if token < 50257])
    assert "".join(segment.text for segment in result.segments) == text
    assert (result.cost.beamed, result.cost.fallbacks, result.cost.reencoded) == (0, 0, 0)


@pytest.mark.real
def test_the_report(storage: Path, tmp_path: Path) -> None:
    chosen = argparse.Namespace(
        device="cpu",
        shape="smallest",
        weights=None,
        clips=None,
        seconds=0.2,
        clients=[2, 3],
        sessions=2,
        limit=3600,
        minutes=0.3,
        files=2,
        storage=storage,
    )
    report = json.loads(json.dumps(bench_gpu.measure(chosen)))
    assert report["failed"] == []
    figures = {figure["name"]: figure for figure in report["figures"]}
    assert list(figures) == [
        "lone clip, p50", "lone clip, p95",
        "2 clients", "3 clients",
        "2 live sessions: sessions without their text", "2 live sessions: client behind its clock",
        "2 live sessions: first word after speech began, p50",
        "2 live sessions: text after speech ended, p95",
        "a file of 0.3 minutes", "2 such files at once", "first sound of speech",
        "piper, one sentence on the CPU", "kokoro, one sentence on the CPU",
        "speakers of 0.3 minutes on the CPU",
    ]  # fmt: skip
    lost = figures.pop("2 live sessions: sessions without their text")
    assert (lost["ours"], lost["met"]) == (0, True)
    assert all(figure["ours"] > 0 for figure in figures.values())
    assert report["model"]["random_weights"]
    text = page(report)
    assert "**random weights**" in text
    assert str(storage) not in text


def test_a_measure_that_fails_is_told_and_the_others_go_on() -> None:
    report = bench_gpu.Report(limit=60)

    def fails() -> list[Figure]:
        raise RuntimeError("CUDA failed with error out of memory")

    report.add("clients", fails)
    report.add("lone", lambda: [Figure(name="lone", unit="s", ours=0.1)])
    assert [figure.name for figure in report.figures] == ["lone"]
    late = bench_gpu.Report(limit=-1)
    late.add("lone", fails)
    assert late.failed == ["lone: the time was up (`--limit`)"]
    machine = {"device": "a GPU", "memory_bytes": None, "driver": "570", "python": "3", "ctranslate2": "4"}
    told = {
        "machine": machine | {"faster_whisper": "1"},
        "model": {"random_weights": False, "shape": "large"},
        "figures": [],
        "failed": report.failed,
        "seconds": 1,
    }
    assert "**Not measured**: clients: RuntimeError: CUDA failed with error out of memory" in page(told)


def test_both_sides_have_the_same_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "nvidiactl"
    device.touch()
    monkeypatch.setattr("engines.gpus.DEVICE_FILES", (device,))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    cards = [Card(uuid="GPU-a", free=2 * GIB), Card(uuid="GPU-b"), Card(uuid="GPU-c")]
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(cards, cuda=12080))
    assert "names GPU 7" in bench_gpu.take_one_gpu(7)
    assert bench_gpu.take_one_gpu(None) == ""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"
    assert [gpu.uuid for gpu in gpus()] == ["GPU-b"]
    with watched() as use:
        wait_until(lambda: use.busy, 30, "a reading")
    assert (use.mean_busy, use.peak_memory) == (90, GIB)
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(cards, cuda=12040))
    assert "CUDA 12.8 is needed" in bench_gpu.take_one_gpu(0)


def test_plain_finds_the_libraries_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain faster-whisper finds NVIDIA's libraries too, without any environment variable."""
    done: list[str] = []
    monkeypatch.setattr("engines.cuda_libraries.preload", lambda: done.append("preload"))
    monkeypatch.setattr("faster_whisper.WhisperModel", lambda *_, **__: done.append("model"))
    monkeypatch.setattr("faster_whisper.BatchedInferencePipeline", lambda _: None)
    PlainWhisper(Path(), "cuda", 8)
    Plain(Path(), "cuda", 1, 8)
    assert done == ["preload", "model"] * 2
