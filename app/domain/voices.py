"""Consents, custom voices, and their audit rows. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.callers import Caller
from app.domain.speech import LocalVoice
from engines.types import Samples


@dataclass(frozen=True, slots=True)
class VoiceConsent:
    """Somebody's recorded consent."""

    id: str
    project: str
    name: str
    language: str
    """BCP 47."""
    created: int
    """Unix time of its creation."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerVector:
    """A speaker as an encoder sees them. Vectors of two encoders cannot be compared."""

    encoder: str
    """Id of the encoder's model."""
    values: Samples
    """float32, of length 1: the dot product of two is their cosine similarity."""


VOICE_ID = "voice_"
"""How ids of custom voices begin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomVoice:
    """A voice of a project, enrolled from a sample."""

    id: str
    project: str
    name: str
    consent: str
    language: str
    """BCP 47."""
    cloner: str
    """The cloner's name: `kokoro-match` gives a matched voice, not a clone."""
    engine: str
    model: str
    nearest: str
    """Of a matched voice: the stock voice that has the largest share in it."""
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
    """Unix time."""
    caller: Caller
    entry: AuditEntry
