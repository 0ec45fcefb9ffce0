"""What OpenAI refuses in a live session and this server otherwise accepts. `compat.strict` turns it on.

Law: pure; called with what the client sent, after `realtime_session` has found it well formed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.live import LiveSettings
from app.errors import InvalidRequest, InvalidValue
from app.wire.realtime_session import LIVE_MODELS

OPENAI_RATE = 24_000
"""Sampling rate in hertz, the only one that OpenAI accepts for `audio/pcm`."""
_VAD = ("type", "threshold", "prefix_padding_ms", "silence_duration_ms", "eagerness")
_RESPONSES = ("create_response", "interrupt_response", "idle_timeout_ms")
_NOISE = ("type",)
_GA_KNOWN: Mapping[str, tuple[str, ...]] = {
    "session": ("type", "audio", "include"),
    "session.audio": ("input",),
    "session.audio.input": ("format", "transcription", "noise_reduction", "turn_detection"),
    "session.audio.input.format": ("type", "rate"),
    "session.audio.input.transcription": (
        "model", "language", "languages", "prompt", "keywords", "delay"
    ),
    "session.audio.input.noise_reduction": _NOISE,
    "session.audio.input.turn_detection": _VAD + _RESPONSES,
}  # fmt: skip
_BETA_KNOWN: Mapping[str, tuple[str, ...]] = {
    "session": (
        "input_audio_format", "input_audio_transcription", "input_audio_noise_reduction", "turn_detection",
        "include", "modalities", "client_secret",
    ),
    "session.input_audio_transcription": ("model", "language", "prompt"),
    "session.input_audio_noise_reduction": _NOISE,
    "session.turn_detection": _VAD + _RESPONSES,
}  # fmt: skip


def check_session(session: Mapping[str, Any], settings: LiveSettings, *, beta: bool) -> None:
    """Refuses what OpenAI would refuse. `settings`: as the change would make them. Raises
    `InvalidRequest`.
    """
    _check_names("session", session, _BETA_KNOWN if beta else _GA_KNOWN)
    place = "session" if beta else "session.audio.input"
    if settings.format.encoding == "pcm" and settings.format.rate != OPENAI_RATE:
        raise InvalidValue(
            f"Invalid value: {settings.format.rate}. Supported values are: {OPENAI_RATE}.",
            param=f"{place}.format.rate",
        )
    if settings.model in LIVE_MODELS and settings.turns is not None:
        raise InvalidRequest(
            "Turn detection is not supported for this transcription model.",
            param=f"{place}.turn_detection",
            code="invalid_value",
        )
    if settings.delay and settings.model != LIVE_MODELS[1]:
        raise InvalidRequest(
            f"Delay is supported with '{LIVE_MODELS[1]}' only.",
            param=f"{place}.transcription.delay",
            code="invalid_value",
        )


def _check_names(path: str, value: Any, known: Mapping[str, tuple[str, ...]]) -> None:
    if path not in known or not isinstance(value, dict):
        return
    for name, inner in value.items():
        if name not in known[path]:
            raise InvalidRequest(
                f"Unknown parameter: '{path}.{name[:100]}'.",
                param=f"{path}.{name[:100]}",
                code="unknown_parameter",
            )
        _check_names(f"{path}.{name}", inner, known)
