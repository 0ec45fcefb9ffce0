"""How text is spoken."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from app.default_aliases import BUILTIN_VOICES, SPEECH_NAMES
from app.settings.base import Group, added


class SpeechSettings(Group):
    """How text is spoken."""

    models: dict[str, Literal["fast", "best"]] = Field(
        SPEECH_NAMES,
        description="Model names that clients send. fast = the fastest engine that has the voice, best = "
        "the most natural one. The table adds to the default one; an empty value removes a name.",
    )
    voices: dict[str, tuple[str, ...]] = Field(
        BUILTIN_VOICES,
        description="OpenAI's voices, and the local voice that speaks for each: one, or one for each engine. "
        "The table adds to the default one; an empty list removes a name.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Where speech engines and speaker encoders run. auto = cpu, while nobody has measured "
        "where a GPU pays. cuda needs another ONNX Runtime (docs/gpu.md).",
    )
    threads: int = Field(0, ge=0, le=1024, description="CPU threads of each engine. 0 = one for each core.")
    openvino: bool = Field(
        default=True,
        description="Run parts of Kokoro and Piper by OpenVINO on CPUs that are quick in bfloat16 (AMD from "
        "Zen 4, Intel with AMX). They take some two thirds of the time; Kokoro needs 100 MB more memory, "
        "Piper 40.",
    )
    input_characters: int = Field(
        4096, ge=1, description="Longest text of a request, in characters. OpenAI's limit is 4096."
    )
    loudness: float = Field(
        -16.0, ge=-40, le=-5, description="Integrated loudness of every voice, in LUFS (EBU R 128)."
    )
    provenance: bool = Field(
        default=True, description="Tag files as synthetic speech, in formats that have tags."
    )
    utterances_ahead: int = Field(
        2, ge=1, le=16, description="Number of utterances of one request that are synthesized at once."
    )

    @field_validator("models", mode="before")
    @classmethod
    def _models_with_defaults(cls, given: Any) -> Any:
        return added(SPEECH_NAMES, given)

    @field_validator("voices", mode="before")
    @classmethod
    def _voices_with_defaults(cls, given: Any) -> Any:
        return added(BUILTIN_VOICES, given)
