"""Requests to speak a text, and the voices for it. Law: frozen values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from app.domain.models import ModelSpec
from engines.types import Voice

AUDIO_TOKENS = 10
"""Tokens in `usage` for a second of audio, as OpenAI counts them."""


def audio_tokens(seconds: float) -> int:
    """The tokens of `seconds` of audio in `usage`."""
    return math.ceil(AUDIO_TOKENS * seconds)


AudioFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


SpeechPreference = Literal["fast", "best"]


@dataclass(frozen=True, slots=True)
class LocalVoice:
    """A voice that this server can speak with."""

    voice: Voice
    model: ModelSpec
    profile: bytes = b""
    """The profile of a custom voice; empty for others."""
    id: str = ""
    """The id of a custom voice; empty for others."""


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """A text to speak, and how to speak it."""

    model: str
    text: str
    voice: str
    """A name, or the id of a custom voice."""
    speed: float = 1.0
    """2 is twice as fast, at the same pitch."""
    instructions: str = ""
    """How to speak, in plain words."""
