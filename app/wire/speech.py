"""Requests for speech, and the events of a streamed answer.

Law: pure; every value is checked here, with the field's name in the error, before anything is spoken.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from app.domain import VOICE_ID, AudioFormat, SpeechJob
from app.errors import VoiceNotFound
from app.wire import request_fields as table
from app.wire.clean_text import checked_id
from app.wire.field_reader import BodyReader
from app.wire.json_bodies import json_object, required_text
from app.wire.strict import check_speech


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechRequestRules:
    """Limits and switches of the settings for speech requests."""

    characters: int
    strict: bool = False
    """Whether to refuse the combinations that OpenAI refuses (strict mode)."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A request for speech: what to speak, and the form of the answer."""

    job: SpeechJob
    format: AudioFormat
    events: bool
    """Whether the answer is server-sent events."""
    whole: bool
    """Whether the answer is one complete file."""


def speech_request(body: bytes, rules: SpeechRequestRules) -> SpeechRequest:
    """The body of a request for speech. Raises `ApiError` that names the field."""
    return speech(BodyReader(json_object(body), "speech"), rules)


def speech(reader: BodyReader, rules: SpeechRequestRules) -> SpeechRequest:
    """The fields of the body as a request. Raises `ApiError` that names the field."""
    model = reader.model(table.SPEECH_MODEL)
    text = reader.text(table.INPUT, rules.characters)
    instructions = reader.text(table.INSTRUCTIONS)
    voice = _voice(reader)
    form: AudioFormat = reader.choice(table.AUDIO_FORMAT)  # type: ignore[assignment]  # a checked choice
    events = reader.choice(table.STREAM_FORMAT) == "sse"
    if rules.strict:
        check_speech(model, voice, instructions, events=events)
    stream = reader.flag(table.WHOLE)
    job = SpeechJob(model, text, voice, reader.number(table.SPEED), instructions)
    return SpeechRequest(job, form, events, whole=not stream and not events)


def delta(data: bytes) -> dict[str, Any]:
    """An event with some bytes of the file."""
    return {"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()}


def done(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    """The last event, with the usage."""
    usage = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }
    return {"type": "speech.audio.done", "usage": usage}


def _voice(reader: BodyReader) -> str:
    """The name of a voice, or the id of a custom voice."""
    name = table.VOICE.name
    voice = reader.value(table.VOICE)
    if not isinstance(voice, dict):
        return checked_id(name, required_text({name: voice}, name).strip())
    voice_id = checked_id(name, required_text(voice, "id", name).strip())
    if not voice_id.startswith(VOICE_ID):
        raise VoiceNotFound(voice_id)
    return voice_id
