"""Requests for speech, and the events of a streamed answer.

Law: pure; every value is checked here, with the field's name in the error, before anything is spoken.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, TypeVar

from app.domain import VOICE_ID, AudioFormat, SpeechJob
from app.errors import InvalidValue, ModelNotFound, VoiceNotFound
from app.wire.bodies import json_object, optional_flag, optional_text, required_text
from app.wire.fields import bounded_number, invalid_choice
from app.wire.strict import check_speech
from app.wire.texts import checked_id, is_id

FORMATS: tuple[AudioFormat, ...] = ("mp3", "opus", "aac", "flac", "wav", "pcm")
MEDIA_TYPES: dict[AudioFormat, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg; codecs=opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
INSTRUCTIONS = 4096
"""Characters of `instructions` at most."""


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """What the settings say about requests."""

    characters: int
    strict: bool = False
    """Whether what OpenAI refuses is refused."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One call of speech."""

    job: SpeechJob
    format: AudioFormat
    events: bool
    """Whether the answer is server-sent events."""
    whole: bool
    """Whether the answer is one complete file."""


def speech_request(body: bytes, rules: SpeechRules) -> SpeechRequest:
    """Raises `ApiError` that names the field."""
    raw = json_object(body)
    model = required_text(raw, "model")
    if not is_id(model):
        raise ModelNotFound(model)
    text = required_text(raw, "input")
    if len(text) > rules.characters:
        raise InvalidValue(f"'input' has more than {rules.characters} characters.", param="input")
    instructions = optional_text(raw, "instructions")
    if len(instructions) > INSTRUCTIONS:
        raise InvalidValue(f"'instructions' has more than {INSTRUCTIONS} characters.", param="instructions")
    voice = _voice(raw)
    form = _choice(raw, "response_format", FORMATS)
    events = _choice(raw, "stream_format", ("audio", "sse")) == "sse"
    if rules.strict:
        check_speech(model, voice, instructions, events=events)
    stream = optional_flag(raw, "stream")
    speed = bounded_number("speed", raw["speed"], 0.25, 4.0) if raw.get("speed") is not None else 1.0
    job = SpeechJob(model, text, voice, speed, instructions)
    return SpeechRequest(job, form, events, whole=stream is False and not events)


def delta(data: bytes) -> dict[str, Any]:
    """Some bytes of the file."""
    return {"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()}


def done(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    """The last event."""
    usage = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }
    return {"type": "speech.audio.done", "usage": usage}


Choice = TypeVar("Choice", bound=str)


def _choice(raw: dict[str, Any], name: str, choices: tuple[Choice, ...]) -> Choice:
    value = optional_text(raw, name)
    if not value:
        return choices[0]
    for choice in choices:
        if value == choice:
            return choice
    raise invalid_choice(name, value, choices)


def _voice(raw: dict[str, Any]) -> str:
    """A name, or the id of a custom voice."""
    voice = raw.get("voice")
    if not isinstance(voice, dict):
        return checked_id("voice", required_text(raw, "voice").strip())
    name = checked_id("voice", required_text(voice, "id", "voice").strip())
    if not name.startswith(VOICE_ID):
        raise VoiceNotFound(name)
    return name
