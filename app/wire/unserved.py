"""Requests to endpoints whose engines are not part of this version: checked to the letter, then refused.

Law: pure. A client learns what is wrong with its request first, and only then that nobody can answer it.
"""

from __future__ import annotations

import json
from typing import Any

from app.errors import InvalidRequest, InvalidValue, MissingField
from app.wire.fields import bounded_number

SPEECH_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
LONGEST_INPUT = 4096


def speech_model(body: bytes) -> str:
    """The model of a valid request for speech. Raises `InvalidRequest`."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(raw, dict):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    model = _text(raw, "model")
    if len(_text(raw, "input")) > LONGEST_INPUT:
        raise InvalidValue(f"'input' has more than {LONGEST_INPUT} characters.", param="input")
    voice = raw.get("voice")
    if isinstance(voice, dict):
        _text(voice, "id")
    else:
        _text(raw, "voice")
    if raw.get("response_format", "mp3") not in SPEECH_FORMATS:
        raise InvalidValue(
            f"Supported values of 'response_format': {', '.join(SPEECH_FORMATS)}.", param="response_format"
        )
    if raw.get("speed") is not None:
        bounded_number("speed", raw["speed"], 0.25, 4.0)
    return model


def _text(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None or value == "":
        raise MissingField(name)
    if not isinstance(value, str):
        raise InvalidValue(f"Invalid type for '{name}': expected a string.", param=name)
    return value
