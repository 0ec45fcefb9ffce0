"""What `antiphon doctor` says of OpenVINO. Law: settings and facts in, a verdict out."""

from __future__ import annotations

from typing import Literal

from app.settings import Settings


def openvino_verdict(
    settings: Settings, version: str | None, *, bfloat16: bool
) -> tuple[Literal["ok", "note"], str]:
    """Which models run on OpenVINO. `version`: of the library; None if it is not installed. `bfloat16`:
    whether the CPU computes in it.
    """
    heard, said = settings.transcription, settings.speech
    users = {
        "Whisper base": heard.openvino and heard.device != "cuda",
        "Kokoro and Piper": said.openvino and said.device != "cuda",
    }
    wanted = [name for name, uses_it in users.items() if uses_it]
    models = " and ".join(wanted).replace(" and ", ", ", len(wanted) - 1)
    if not wanted:
        return "note", "not used: in `transcription` and `speech`, `openvino` is false or `device` is cuda"
    if not version:
        return "note", f"not installed; without it, {models} may take twice the time"
    if not bfloat16:
        return "note", f"not used, because this CPU does not compute in bfloat16, for {models}"
    return "ok", f"{version.partition('-')[0]} runs {models} in bfloat16"
