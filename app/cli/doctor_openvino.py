"""What `antiphon doctor` says of OpenVINO. Law: settings and facts in, a verdict out."""

from __future__ import annotations

from typing import Literal

from app.settings import Settings


def openvino_verdict(
    settings: Settings, version: str | None, *, bfloat16: bool
) -> tuple[Literal["ok", "note"], str]:
    """Whether Whisper base runs on OpenVINO. `version`: of the library; None if it is not installed.
    `bfloat16`: whether the CPU computes in it.
    """
    slower = "CTranslate2 runs Whisper base, in about twice the time"
    if settings.transcription.device == "cuda":
        return "note", "not used, because `transcription.device` is cuda"
    if not settings.transcription.openvino:
        return "note", f"not used, because `transcription.openvino` is false; {slower}"
    if not version:
        return "note", f"not installed; {slower}"
    if not bfloat16:
        return "note", f"not used, because this CPU does not compute in bfloat16; {slower}"
    return "ok", f"{version.partition('-')[0]} runs Whisper base in bfloat16"
