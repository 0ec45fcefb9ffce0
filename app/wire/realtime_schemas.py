"""The shapes of live sessions and client secrets as JSON Schema, for the OpenAPI document.

Law: data only. `realtime_session` and `client_secrets` read and write these shapes; a test validates what
they write.
"""

from __future__ import annotations

from typing import Any, get_args

from app.domain.live import Delay, Eagerness
from app.wire.answer_schemas import INTEGER, NUMBER, TEXT, ref, shape
from app.wire.client_secrets import LONGEST_SECONDS, SHORTEST_SECONDS, USUAL_SECONDS
from app.wire.realtime_session import LOGPROBS, MOST_KEYWORDS, MOST_LANGUAGES, PCM_RATES, PROMPT_CHARACTERS


def _one(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _texts(most: int) -> dict[str, Any]:
    return {"type": "array", "items": TEXT, "maxItems": most}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_TRANSCRIPTION = shape(
    {},
    {
        "model": TEXT,
        "language": TEXT,
        "languages": _texts(MOST_LANGUAGES),
        "prompt": TEXT | {"maxLength": PROMPT_CHARACTERS},
        "keywords": _texts(MOST_KEYWORDS),
        "delay": _one(*get_args(Delay)),
    },
)
_NOISE = shape({"type": _one("near_field", "far_field")}, {"strength": NUMBER | {"minimum": 0, "maximum": 1}})
_TURNS = shape(
    {"type": _one("server_vad", "semantic_vad")},
    {
        "threshold": NUMBER | {"minimum": 0, "maximum": 1},
        "prefix_padding_ms": INTEGER | {"minimum": 0, "maximum": 5000},
        "silence_duration_ms": INTEGER | {"minimum": 0, "maximum": 60_000},
        "eagerness": _one(*get_args(Eagerness)),
    },
)
_FORMAT = shape(
    {"type": _one("audio/pcm", "audio/pcmu", "audio/pcma")},
    {"rate": INTEGER | {"enum": list(PCM_RATES)}},
)
_INPUT = shape(
    {},
    {
        "format": _FORMAT,
        "transcription": _TRANSCRIPTION,
        "noise_reduction": _or_null(_NOISE),
        "turn_detection": _or_null(_TURNS),
    },
)
_INCLUDE = {"type": "array", "items": _one(LOGPROBS)}
_SESSION = {"type": _one("transcription"), "audio": shape({}, {"input": _INPUT}), "include": _INCLUDE}
_SECONDS = INTEGER | {"minimum": SHORTEST_SECONDS, "maximum": LONGEST_SECONDS, "default": USUAL_SECONDS}
_EXPIRY = shape({}, {"anchor": _one("created_at"), "seconds": _SECONDS})
_BETA = {
    "input_audio_format": _one("pcm16", "g711_ulaw", "g711_alaw"),
    "input_audio_transcription": _TRANSCRIPTION,
    "input_audio_noise_reduction": _or_null(_NOISE),
    "turn_detection": _or_null(_TURNS),
    "include": _INCLUDE,
}
_SHOWN = {"id": TEXT, "object": _one("realtime.transcription_session")}

REALTIME_SCHEMAS: dict[str, dict[str, Any]] = {
    "ClientSecretRequest": shape({}, {"expires_after": _EXPIRY, "session": shape({}, _SESSION)}),
    "ClientSecret": shape(
        {
            "value": TEXT,
            "expires_at": INTEGER,
            "session": ref("RealtimeSession"),
        }
    ),
    "RealtimeSession": shape(_SHOWN | _SESSION | {"expires_at": INTEGER}),
    "TranscriptionSessionRequest": shape({}, _BETA | {"client_secret": shape({}, {"expires_at": _EXPIRY})}),
    "TranscriptionSession": shape(
        _SHOWN | _BETA | {"client_secret": shape({"value": TEXT, "expires_at": INTEGER})}
    ),
}
