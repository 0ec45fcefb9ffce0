"""Events of a live session: what a client sends, as values, and what the server sends, as JSON.

Law: pure. Whatever arrives is an event or an `InvalidRequest` with `code` and `param`.
"""

from __future__ import annotations

import binascii
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pybase64

from app.domain.live import (
    ItemCommitted,
    ItemCompleted,
    ItemFailed,
    ItemText,
    LiveEvent,
    LiveSettings,
    LiveWord,
    SpeechStarted,
    SpeechStopped,
)
from app.errors import ApiError, InvalidRequest, InvalidValue
from app.wire.json_text import load
from app.wire.openai_models import transcription_model
from app.wire.realtime_session import LIVE_MODELS, session_object
from app.wire.transcripts import duration_usage, languages, logprobs, token_usage
from engines.types import Segment

APPEND_BYTES = 15 * 2**20
"""The most bytes of audio in one event."""
_LONG_VALUE = 1000
"""If the base64 text of the sound is longer than this, it is cut out before the rest of the event is parsed
as JSON.
"""
_STAND_IN = "<sound>"
_SHORT_REST, _KEPT_RESTS = 200, 64
"""Characters of an event without its sound up to which its JSON is kept, and the number of such texts."""
MOST_ESCAPES = 250_000
"""Backslashes in an event: base64 of 10 MB of sound has fewer, also where each slash is escaped, as PHP
does. Python reads an event in one go, and nobody else is served meanwhile; escapes take most of that time."""
PREFIX = "conversation.item.input_audio_transcription."
_OURS = (
    "session.update",
    "transcription_session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
)
_NOT_OURS = ("response.", "conversation.item.", "output_audio_buffer.")


@dataclass(frozen=True, slots=True)
class Update:
    """The client changes the settings. `session`: the fields that it sent."""

    session: Any
    beta: bool


@dataclass(frozen=True, slots=True)
class Append:
    """The client sends further audio, encoded as the settings say."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """The client ends the item."""


@dataclass(frozen=True, slots=True)
class Clear:
    """The client drops its uncommitted audio."""


ClientEvent = Update | Append | Commit | Clear


def decoded(frame: str | bytes) -> dict[str, Any]:
    """The JSON object of a frame. Raises `InvalidRequest`."""
    if isinstance(frame, bytes):
        raise InvalidRequest("Events are text frames; this one is binary.", code="invalid_event")
    if len(frame) > MOST_ESCAPES and frame.count("\\") > MOST_ESCAPES:
        raise InvalidRequest(f"The event has more than {MOST_ESCAPES} backslashes.", code="invalid_event")
    try:
        event = _without_sound(frame) or load(frame)
    except (ValueError, RecursionError):
        raise InvalidRequest("The event is not valid JSON.", code="invalid_json") from None
    if not isinstance(event, dict):
        raise InvalidRequest("An event is a JSON object.", code="invalid_event")
    return event


def _without_sound(frame: str) -> dict[str, Any] | None:
    """The object of a frame whose top level has a long text `audio`, which is cut out and not parsed: that
    takes a third of the time. None where this does not apply.
    """
    name = frame.find('"audio"')
    start = frame.find('"', name + 7) + 1
    end = frame.find('"', start)
    if name < 0 or end - start < _LONG_VALUE or frame[name + 7 : start - 1].strip() != ":":
        return None
    before, after = frame[:start], frame[end:]
    if frame.find("\\", start, end) >= 0 or _STAND_IN in before or _STAND_IN in after:
        return None
    text = f"{before}{_STAND_IN}{after}"
    try:
        event = _repeated(text) if len(text) <= _SHORT_REST else load(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or event.get("audio") != _STAND_IN:
        return None
    return event | {"audio": frame[start:end]}


@lru_cache(_KEPT_RESTS)
def _repeated(text: str) -> Any:
    """A client's events differ in their sound alone: what is around it is parsed once. It is not changed."""
    return load(text)


def event_id(event: dict[str, Any]) -> str | None:
    """The id that the client gave an event; an error about the event repeats it."""
    value = event.get("event_id")
    return value[:512].encode(errors="replace").decode() if isinstance(value, str) else None


def client_event(event: dict[str, Any]) -> ClientEvent:
    """The client's event as a value. Raises `InvalidRequest`."""
    kind = event.get("type")
    if not isinstance(kind, str):
        raise InvalidRequest("The 'type' field is missing.", code="invalid_event", param="type")
    if kind == "input_audio_buffer.append":
        return Append(_audio(event.get("audio")))
    if kind == "input_audio_buffer.commit":
        return Commit()
    if kind == "input_audio_buffer.clear":
        return Clear()
    if kind in ("session.update", "transcription_session.update"):
        if "session" not in event:
            raise InvalidRequest(
                "Missing required parameter: 'session'.", param="session", code="missing_required_parameter"
            )
        return Update(event["session"], beta=kind == "transcription_session.update")
    if kind.startswith(_NOT_OURS):
        raise InvalidRequest(
            f"This server transcribes only: it has no '{kind[:100]}'.", param="type", code="unsupported_event"
        )
    known = ", ".join(f"'{name}'" for name in _OURS)
    raise InvalidValue(f"Invalid value: '{kind[:100]}'. Supported values are: {known}.", param="type")


def _audio(text: Any) -> bytes:
    if not isinstance(text, str):
        raise _no_sound()
    if len(text) > (APPEND_BYTES + 2) // 3 * 4:
        raise InvalidRequest(
            f"Invalid 'audio'. One event may have at most {APPEND_BYTES} bytes of sound.",
            param="audio",
            code="string_above_max_length",
        )
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _no_sound() from None


def _no_sound() -> InvalidValue:
    return InvalidValue(
        "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got an invalid "
        "value.",
        param="audio",
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """The facts that every description of a session repeats."""

    id: str
    expires_at: int
    """Unix time at which the session expires."""
    beta: bool
    """Whether the client uses the JSON of the beta of OpenAI's Realtime API."""


def session_event(verb: str, shown: Shown, settings: LiveSettings) -> dict[str, Any]:
    """The event that describes the session. `verb`: `created` or `updated`."""
    name = f"transcription_session.{verb}" if shown.beta else f"session.{verb}"
    about = {"id": shown.id, "expires_at": shown.expires_at}
    return _event(name, session=session_object(settings, beta=shown.beta) | about)


def cleared() -> dict[str, Any]:
    return _event("input_audio_buffer.cleared")


def error_event(error: ApiError, cause: str | None = None) -> dict[str, Any]:
    """The event that tells an error. `cause`: the client's id of the event that failed."""
    told = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
    return _event("error", error=told | {"event_id": cause})


def server_events(event: LiveEvent, *, beta: bool) -> list[dict[str, Any]]:
    """The JSON events that tell the client of one event of the session."""
    if isinstance(event, SpeechStarted):
        name = "input_audio_buffer.speech_started"
        return [_event(name, item_id=event.item, audio_start_ms=event.milliseconds)]
    if isinstance(event, SpeechStopped):
        name = "input_audio_buffer.speech_stopped"
        return [_event(name, item_id=event.item, audio_end_ms=event.milliseconds)]
    if isinstance(event, ItemCommitted):
        return _committed(event, beta=beta)
    if isinstance(event, ItemText):
        return [_delta(event)]
    if isinstance(event, ItemCompleted):
        return [_completed(event)]
    return [_failed(event)]


def _committed(event: ItemCommitted, *, beta: bool) -> list[dict[str, Any]]:
    item = {
        "id": event.item,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    names = ("created",) if beta else ("added", "done")
    told = [_event(f"conversation.item.{name}", previous_item_id=event.previous, item=item) for name in names]
    first = _event("input_audio_buffer.committed", item_id=event.item, previous_item_id=event.previous)
    return [first, *told]


def _delta(event: ItemText) -> dict[str, Any]:
    fields: dict[str, Any] = {"delta": "".join(word.text for word in event.words)}
    if event.logprobs:
        fields["logprobs"] = logprobs(_segments(event.words)) or []
    return _event(f"{PREFIX}delta", item_id=event.item, content_index=0, **fields)


def _completed(event: ItemCompleted) -> dict[str, Any]:
    name = event.settings.model
    tokens = name in LIVE_MODELS or transcription_model(name).usage == "tokens"
    fields: dict[str, Any] = {
        "transcript": event.text,
        "usage": token_usage(event.transcript) if tokens else duration_usage(event.transcript),
    }
    if event.settings.logprobs:
        fields["logprobs"] = logprobs(event.transcript.segments) or []
    if transcription_model(name).tells_languages or name == LIVE_MODELS[0]:
        fields["languages"] = languages(event.transcript)
    return _event(f"{PREFIX}completed", item_id=event.item, content_index=0, **fields)


def _failed(event: ItemFailed) -> dict[str, Any]:
    error = {"type": event.type, "code": event.code, "message": event.message, "param": None}
    return _event(f"{PREFIX}failed", item_id=event.item, content_index=0, error=error)


def _segments(words: tuple[LiveWord, ...]) -> list[Segment]:
    return [Segment(word.end, word.end, word.text, word.tokens) for word in words]


def _event(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": name, "event_id": f"event_{secrets.token_hex(10)}", **fields}
