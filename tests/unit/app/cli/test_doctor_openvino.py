"""What the doctor says of OpenVINO."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.doctor_openvino import openvino_verdict
from app.settings import Settings

OFF: dict[str, Any] = {"openvino": False}
CUDA: dict[str, Any] = {"device": "cuda"}


@pytest.mark.parametrize(
    ("settings", "version", "able", "verdict", "words"),
    [
        ({}, "2026.4.1-22982-abc", True, "ok", "2026.4.1 runs Whisper base, Kokoro and Piper in bfloat16"),
        ({}, "2026.4.1", False, "note", "this CPU does not compute in bfloat16"),
        ({}, None, False, "note", "not installed"),
        ({"transcription": OFF}, "2026.4.1", True, "ok", "runs Kokoro and Piper"),
        ({"transcription": CUDA}, "2026.4.1", True, "ok", "runs Kokoro and Piper"),
        ({"speech": OFF}, "2026.4.1", True, "ok", "runs Whisper base in"),
        ({"speech": OFF, "transcription": CUDA}, "2026.4.1", True, "note", "not used"),
    ],
)
def test_verdicts(
    settings: dict[str, Any], version: str | None, able: bool, verdict: str, words: str
) -> None:
    told, sentence = openvino_verdict(Settings.model_validate(settings), version, bfloat16=able)
    assert told == verdict
    assert words in sentence


@pytest.mark.parametrize(
    ("settings", "verdict", "words"),
    [
        ({}, "ok", "runs Whisper base in float32, because this CPU is slow in bfloat16; Kokoro and Piper"),
        ({"speech": OFF}, "ok", "runs Whisper base in float32, because this CPU is slow in bfloat16"),
        ({"transcription": OFF}, "note", "not used: this CPU is slow in bfloat16, so Kokoro and Piper are"),
    ],
)
def test_where_bfloat16_is_slow_only_whisper_runs_on_it(
    settings: dict[str, Any], verdict: str, words: str
) -> None:
    told, sentence = openvino_verdict(
        Settings.model_validate(settings), "2026.4.1-22982", bfloat16=True, quicker=False
    )
    assert told == verdict
    assert words in sentence
