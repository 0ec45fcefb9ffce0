"""Custom voices and the consents that they need."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.settings.base import MIB, Group


class VoicesSettings(Group):
    """Custom voices and the consents that they need."""

    organisation: str = Field(
        "OpenAI",
        min_length=1,
        max_length=100,
        description="Name of the organisation in the consent phrase. OpenAI's own phrase is accepted too.",
    )
    phrase_check: Literal["enforce", "warn"] = Field(
        "enforce",
        description="enforce: refuse a recording without the consent phrase. warn: only note it in the "
        "audit table.",
    )
    phrase_threshold: float = Field(
        0.85, ge=0, le=1, description="Share of the letters of the phrase that must be heard, 0 to 1."
    )
    phrase_model: str = Field("whisper-1", description="Transcription model that checks the phrase.")
    speaker_check: Literal["enforce", "warn"] = Field(
        "enforce",
        description="enforce: refuse a sample of another speaker than the consent's. warn: only note it in "
        "the audit table.",
    )
    speaker_threshold: float = Field(
        0.5, ge=-1, le=1, description="Cosine similarity from which sample and consent count as one speaker."
    )
    one_speaker_threshold: float = Field(
        0.36,
        ge=-1,
        le=1,
        description="Cosine similarity below which two parts of a sample count as two speakers.",
    )
    cloner: str = Field(
        "kokoro-match",
        description="Engine that makes a voice from a sample. kokoro-match = the most similar mix of stock "
        "voices; pocket-tts = a clone.",
    )
    cloner_model: str = Field("", description="Model that the cloner uses. Empty = the cloner's own.")
    shortest_seconds: float = Field(
        1.0, ge=0.5, description="Least speech that a sample must have, in seconds."
    )
    longest_seconds: float = Field(
        30.0, le=100, description="Most speech that a sample may have, in seconds."
    )
    upload_bytes: int = Field(10 * MIB, ge=1, description="Largest recording or sample, in bytes.")
    per_project: int = Field(20, ge=0, description="Largest number of voices in one project.")
    consents_per_project: int = Field(100, ge=0, description="Largest number of consents in one project.")
