"""Consents, custom voices, and their audit rows. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.callers import Caller
from app.domain.speech import LocalVoice
from engines.types import Samples


@dataclass(frozen=True, slots=True)
class VoiceConsent:
    """The recorded consent of a person."""

    id: str
    project: str
    name: str
    language: str
    """BCP 47 tag of the language."""
    created: int
    """Unix time of its creation."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerVector:
    """The vector of a speaker. Vectors of different encoders cannot be compared."""

    encoder: str
    """Id of the encoder's model."""
    values: Samples
    """float32, of length 1: the dot product of two is their cosine similarity."""


VOICE_ID = "voice_"
"""Prefix of the ids of custom voices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomVoice:
    """A voice of a project, enrolled from a sample."""

    id: str
    project: str
    name: str
    consent: str
    language: str
    """BCP 47 tag of the language."""
    cloner: str
    """The cloner's name: `kokoro-match` gives a matched voice, not a clone."""
    engine: str
    model: str
    nearest: str
    """For a matched voice: the stock voice with the largest share in it."""
    similarity: float
    """Cosine between the sample's speaker and a matched voice, as the fit computes it."""
    created: int
    """Unix time of its creation."""


@dataclass(frozen=True, slots=True)
class ListedVoice:
    """A voice of a list, with the name under which clients ask for it."""

    name: str
    voice: CustomVoice | LocalVoice


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the audit: the actor, the action and its outcome."""

    action: str
    subject: str
    outcome: str
    details: dict[str, str | float | bool]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A row of the audit as it is read back."""

    at: int
    """Unix time of the action."""
    caller: Caller
    entry: AuditEntry
