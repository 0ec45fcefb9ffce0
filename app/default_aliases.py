"""OpenAI's names of models and voices, and what answers to them where the settings do not say.

Law: data only.
"""

from __future__ import annotations

from typing import Literal

TRANSCRIPTION_NAMES = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
    "gpt-transcribe",
)


DEFAULT_ALIASES = dict.fromkeys(TRANSCRIPTION_NAMES, "whisper-base")
"""The local model that answers to each of them."""

SPEECH_NAMES: dict[str, Literal["fast", "best"]] = {
    "tts-1": "fast",
    "tts-1-hd": "best",
    "gpt-4o-mini-tts": "best",
    "gpt-4o-mini-tts-2025-12-15": "best",
}
# Chosen by gender and character; where Kokoro has a voice of the same name, it is that one.
BUILTIN_VOICES: dict[str, tuple[str, ...]] = {
    "alloy": ("af_alloy",),
    "ash": ("am_michael",),
    "ballad": ("bm_george",),
    "coral": ("af_bella",),
    "echo": ("am_echo",),
    "fable": ("bm_fable",),
    "onyx": ("am_onyx",),
    "nova": ("af_nova",),
    "sage": ("af_sarah",),
    "shimmer": ("af_aoede",),
    "verse": ("am_fenrir",),
    "marin": ("af_heart",),
    "cedar": ("en_US-joe-medium",),
}
