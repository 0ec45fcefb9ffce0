"""What the doctor says of OpenVINO."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.doctor_openvino import openvino_verdict
from app.settings import Settings


@pytest.mark.parametrize(
    ("transcription", "version", "able", "verdict", "words"),
    [
        ({}, "2026.4.1-22982-abc", True, "ok", "2026.4.1 runs Whisper base"),
        ({}, "2026.4.1", False, "note", "this CPU does not compute in bfloat16"),
        ({}, None, False, "note", "not installed"),
        ({"openvino": False}, "2026.4.1", True, "note", "`transcription.openvino` is false"),
        ({"device": "cuda"}, "2026.4.1", True, "note", "`transcription.device` is cuda"),
    ],
)
def test_verdicts(
    transcription: dict[str, Any], version: str | None, able: bool, verdict: str, words: str
) -> None:
    settings = Settings.model_validate({"transcription": transcription})
    told, sentence = openvino_verdict(settings, version, bfloat16=able)
    assert told == verdict
    assert words in sentence
