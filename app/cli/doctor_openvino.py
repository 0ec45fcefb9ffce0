"""What `antiphon doctor` says of OpenVINO. Law: settings and facts in, a verdict out."""

from __future__ import annotations

from typing import Literal

from app.settings import Settings

HEARS, SPEAKS = "Whisper base", "Kokoro and Piper"


def openvino_verdict(
    settings: Settings, version: str | None, *, bfloat16: bool, quicker: bool = True
) -> tuple[Literal["ok", "note"], str]:
    """Which models run on OpenVINO. `version`: of the library; None if it is not installed. `bfloat16`:
    whether the CPU computes in it. `quicker`: whether in less time than in float32.
    """
    heard, said = settings.transcription, settings.speech
    users = {
        HEARS: heard.openvino and heard.device != "cuda",
        SPEAKS: said.openvino and said.device != "cuda",
    }
    wanted = [name for name, uses_it in users.items() if uses_it]
    models = " and ".join(wanted).replace(" and ", ", ", len(wanted) - 1)
    if not wanted:
        return "note", "not used: in `transcription` and `speech`, `openvino` is false or `device` is cuda"
    if not version:
        return "note", f"not installed; without it, {models} may take twice the time"
    if not bfloat16:
        return "note", f"not used, because this CPU does not compute in bfloat16, for {models}"
    if not quicker:
        return _slow_bfloat16(wanted, version)
    return "ok", f"{version.partition('-')[0]} runs {models} in bfloat16"


def _slow_bfloat16(wanted: list[str], version: str) -> tuple[Literal["ok", "note"], str]:
    """For a CPU of Intel without AMX (docs/decisions/0015)."""
    why = "this CPU is slow in bfloat16"
    if HEARS not in wanted:
        return "note", f"not used: {why}, so {SPEAKS} are quicker on ONNX Runtime"
    others = f"; {SPEAKS} are quicker on ONNX Runtime" if SPEAKS in wanted else ""
    return "ok", f"{version.partition('-')[0]} runs {HEARS} in float32, because {why}{others}"
