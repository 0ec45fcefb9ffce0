"""How text is spoken, and custom voices."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.names import BUILTIN_VOICES, SPEECH_MODELS
from app.settings.base import MIB, Group


class SpeechSettings(Group):
    """How text is spoken."""

    models: dict[str, Literal["fast", "best"]] = Field(
        SPEECH_MODELS,
        description="Names that clients send: fast takes the quickest engine that has the voice, best the "
        "finest.",
    )
    voices: dict[str, tuple[str, ...]] = Field(
        BUILTIN_VOICES,
        description="OpenAI's voices, and the local ones that speak for each: one, or one of each engine.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where speech engines run.")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads of one engine; 0: one a core.")
    input_characters: int = Field(4096, ge=1, description="Longest text of a request; OpenAI's is 4096.")
    loudness: float = Field(
        -16.0, ge=-40, le=-5, description="Integrated loudness of every voice, in LUFS (EBU R 128)."
    )
    provenance: bool = Field(
        default=True, description="Tag files as synthetic speech, in the formats that have tags."
    )
    utterances_ahead: int = Field(
        2, ge=1, le=16, description="Utterances of one request that are in work at once."
    )


class VoicesSettings(Group):
    """Custom voices and the consents that they need."""

    organisation: str = Field(
        "OpenAI",
        min_length=1,
        max_length=100,
        description="The name that the consent phrase gives the voice to; OpenAI is accepted too.",
    )
    phrase_check: Literal["enforce", "warn"] = Field(
        "enforce", description="Refuse a recording without the consent phrase, or only note it in the audit."
    )
    phrase_threshold: float = Field(
        0.85, ge=0, le=1, description="Share of the phrase's letters that must be heard."
    )
    phrase_model: str = Field("whisper-1", description="Transcription model that listens for the phrase.")
    speaker_check: Literal["enforce", "warn"] = Field(
        "enforce", description="Refuse a sample of another speaker, or only note it in the audit."
    )
    speaker_threshold: float = Field(
        0.62, ge=-1, le=1, description="Similarity from which sample and consent are one speaker's."
    )
    one_speaker_threshold: float = Field(
        0.45, ge=-1, le=1, description="Similarity under which two stretches of a sample are two speakers'."
    )
    cloner: str = Field(
        "kokoro-match",
        description="What makes a voice of a sample: kokoro-match, or pocket-tts (a true clone).",
    )
    cloner_model: str = Field("", description="The model that the cloner works with; empty: its own name's.")
    shortest_seconds: float = Field(1.0, ge=0.5, description="Least speech in a sample, in seconds.")
    longest_seconds: float = Field(30.0, le=100, description="Most speech in a sample, in seconds.")
    upload_bytes: int = Field(10 * MIB, ge=1, description="Largest recording or sample, in bytes.")
    per_project: int = Field(20, ge=0, description="Voices of one project at most.")
