"""OpenAI's model names: what each of them promises to clients, one row for each name.

Law: data only. Which local model answers to a name is a setting (`app.default_aliases` has the defaults); a
name without a row here is a local model, to which no restriction applies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.wire.field_row import FORMATS, TRANSLATION_FORMATS, ResponseFormat

Usage = Literal["duration", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionModel:
    """The properties of a model name for transcriptions. What `compat.strict` refuses follows from them."""

    name: str = ""
    formats: tuple[ResponseFormat, ...] = FORMATS
    """Formats of the answer."""
    usage: Usage = "duration"
    """What the key `usage` of the answer counts."""
    tells_languages: bool = False
    """Whether the answer has the key `languages`."""
    hints: bool = True
    """Whether it accepts `languages[]` and `keywords[]`."""
    logprobs: tuple[ResponseFormat, ...] = FORMATS
    """Formats in which `include[]` may have `logprobs`."""
    prompt: bool = True
    """Whether it accepts a prompt."""
    needs_chunking: bool = False
    """Whether `chunking_strategy` is required."""
    translates: bool = True
    """Whether the name can be used for translations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechModel:
    """The properties of a model name for speech."""

    name: str
    voices: tuple[str, ...] | None = None
    """OpenAI's voices that it has; None: all of them, and custom ones."""
    instructions: bool = True
    events: bool = True
    """Whether `stream_format` may be `sse`."""


LOCAL = TranscriptionModel()
"""The properties of every name that is not one of OpenAI's."""
_FIRST_VOICES = ("alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer")

TRANSCRIPTION_MODELS = {
    row.name: row
    for row in (
        TranscriptionModel(name="whisper-1", formats=TRANSLATION_FORMATS, hints=False, logprobs=()),
        *(
            TranscriptionModel(
                name=name,
                formats=("json", "text"),
                usage="tokens",
                hints=False,
                logprobs=("json",),
                translates=False,
            )
            for name in (
                "gpt-4o-transcribe",
                "gpt-4o-mini-transcribe",
                "gpt-4o-mini-transcribe-2025-12-15",
            )
        ),
        TranscriptionModel(
            name="gpt-4o-transcribe-diarize",
            formats=("json", "text", "diarized_json"),
            hints=False,
            logprobs=(),
            prompt=False,
            needs_chunking=True,
            translates=False,
        ),
        TranscriptionModel(
            name="gpt-transcribe",
            formats=("json", "text"),
            usage="tokens",
            tells_languages=True,
            logprobs=(),
            translates=False,
        ),
    )
}
SPEECH_MODELS = {
    row.name: row
    for row in (
        SpeechModel(name="tts-1", voices=_FIRST_VOICES, instructions=False, events=False),
        SpeechModel(name="tts-1-hd", voices=_FIRST_VOICES, instructions=False, events=False),
        SpeechModel(name="gpt-4o-mini-tts"),
        SpeechModel(name="gpt-4o-mini-tts-2025-12-15"),
    )
}


def transcription_model(name: str) -> TranscriptionModel:
    """The properties of a name that a client sent."""
    return TRANSCRIPTION_MODELS.get(name, LOCAL)
