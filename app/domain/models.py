"""Models and the server itself, as services see them. Law: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ModelKind = Literal["transcription", "speech", "speaker", "diarization"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model that this server can run."""

    id: str
    kind: ModelKind
    engine: str
    folder: Path
    created: int
    """Unix time of its release."""
    owner: str


@dataclass(frozen=True, slots=True)
class ModelListing:
    """A name that a client may send, and the model that answers to it."""

    id: str
    created: int
    """Unix time of its release."""
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The facts about a server that GET /v1/about gives."""

    version: str
    limits: Mapping[str, float]
    """Name of a limit -> the greatest value that a request may have."""
    features: Mapping[str, bool | str]
    organisation: str
    """The organisation that the consent phrases name."""
    phrases: Mapping[str, str]
    """Language code -> the phrase to read."""
