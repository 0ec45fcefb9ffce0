"""What `antiphon doctor` says about simulated GPUs."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.doctor_gpu import gpu_verdict, onnx_verdict
from app.settings import Settings
from engines.gpus import GIB, Driver, Gpu

H100 = Gpu(index=0, name="NVIDIA H100", memory=80 * GIB, free=79 * GIB, capability=(9, 0))
L4 = Gpu(index=1, name="NVIDIA L4", memory=24 * GIB, free=20 * GIB, capability=(8, 9))
DRIVER = Driver(version="570.86", cuda=(12, 8), gpus=(H100, L4))
OLD = Driver(version="470.1", cuda=(11, 4), gpus=(H100,))
OLDER_THAN_THE_GPU_NEEDS = Driver(version="550.54", cuda=(12, 4), gpus=(H100, L4))
USABLE = (
    "driver 570.86 (CUDA 12.8); GPU 0: NVIDIA H100, 80.0 GiB, 79.0 free, compute capability 9.0; "
    "1 more not used (`transcription.device_index`); float16, batches of at most 32 windows"
)
CUBLAS = ["libcublas.so.12"]


@pytest.mark.parametrize(
    ("transcription", "driver", "missing", "verdict", "words"),
    [
        ({}, "", [], "note", "no NVIDIA driver; models run on the CPU"),
        ({"device": "cuda"}, "", [], "wrong", "systemctl daemon-reload"),
        ({}, "Driver/library version mismatch", [], "wrong", "does not answer (Driver/library version mism"),
        ({"device": "cpu"}, "Driver/library version mismatch", [], "note", "`transcription.device` is cpu"),
        ({}, OLDER_THAN_THE_GPU_NEEDS, [], "wrong", "NVIDIA H100, the driver 550.54 runs CUDA 12.4, and"),
        ({"device_index": [1]}, OLDER_THAN_THE_GPU_NEEDS, [], "ok", "GPU 1: NVIDIA L4"),
        ({}, DRIVER, [], "ok", "compiles CTranslate2's code for it at the first start"),
        ({"device": "cpu"}, DRIVER, [], "note", "`transcription.device` is cpu"),
        ({}, OLD, [], "wrong", "Install a newer driver"),
        (
            {},
            DRIVER,
            CUBLAS,
            "wrong",
            "libcublas.so.12 is missing, so models run on the CPU. Run `make serve GPU=1`",
        ),
        ({"device_index": [0, 3]}, DRIVER, [], "wrong", "names GPU 3, and there are 2"),
        (
            {},
            DRIVER,
            [],
            "ok",
            USABLE,
        ),
        (
            {"device_index": [0, 1], "compute_type": "int8_float16"},
            DRIVER,
            [],
            "ok",
            "int8_float16, batches of at most 13",
        ),
    ],
)
def test_verdicts(
    transcription: dict[str, Any], driver: Driver | str, missing: list[str], verdict: str, words: str
) -> None:
    settings = Settings.model_validate({"transcription": transcription})
    told, sentence = gpu_verdict(settings, driver, missing, "nvidia-cublas-cu12")
    assert told == verdict
    assert words in sentence


@pytest.mark.parametrize(
    ("groups", "providers", "verdict", "words"),
    [
        ({}, ["CPUExecutionProvider"], "ok", "ONNX Runtime 1.32, on the CPU"),
        ({}, ["CUDAExecutionProvider"], "ok", "on the CPU"),
        ({"speech": {"device": "cuda"}}, ["CUDAExecutionProvider"], "ok", "with CUDA for `speech.device`"),
        ({"speech": {"device": "cuda"}}, ["CPUExecutionProvider"], "wrong", "pip install 'onnxruntime-gpu"),
        (
            {"speech": {"device": "cuda"}, "diarization": {"device": "cuda"}},
            [],
            "wrong",
            "`speech.device` and `diarization.device`",
        ),
    ],
)
def test_where_speech_runs(groups: dict[str, Any], providers: list[str], verdict: str, words: str) -> None:
    told, sentence = onnx_verdict(Settings.model_validate(groups), "1.32", providers)
    assert told == verdict
    assert words in sentence
