"""What the OpenAPI document says of requests that FastAPI does not parse itself. Law: schema data only."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_FILE = {
    "type": "string",
    "format": "binary",
    "description": "Audio, or video with audio, in any format that FFmpeg decodes.",
}
_COMMON: dict[str, Any] = {
    "file": _FILE,
    "model": {**_TEXT, "description": "A name that GET /v1/models lists."},
    "prompt": {**_TEXT, "description": "Text that the speech is assumed to follow."},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
    "response_format": {
        **_TEXT,
        "enum": ["json", "text", "srt", "verbose_json", "vtt"],
        "default": "json",
    },
}
_EXTENSIONS: dict[str, Any] = {
    "hotwords": {"type": "array", "items": _TEXT, "x-antiphon-extension": True},
    "vad_filter": {"type": "boolean", "x-antiphon-extension": True},
    "beam_size": {"type": "integer", "minimum": 1, "maximum": 20, "x-antiphon-extension": True},
    "max_line_width": {"type": "integer", "minimum": 10, "x-antiphon-extension": True},
    "max_line_count": {"type": "integer", "minimum": 1, "x-antiphon-extension": True},
    "max_cue_seconds": {"type": "number", "minimum": 1, "x-antiphon-extension": True},
}
_TRANSCRIPTION: dict[str, Any] = {
    "language": {**_TEXT, "description": "ISO 639-1 code; absent: detected."},
    "languages[]": {"type": "array", "items": _TEXT},
    "keywords[]": {"type": "array", "items": _TEXT},
    "include[]": {"type": "array", "items": {**_TEXT, "enum": ["logprobs"]}},
    "timestamp_granularities[]": {"type": "array", "items": {**_TEXT, "enum": ["word", "segment"]}},
    "stream": {"type": "boolean", "default": False},
    "chunking_strategy": {"description": "`auto`, or an object of the type `server_vad`."},
}


def _form(properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": ["file", "model"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


TRANSCRIPTION_DOC = _form(_COMMON | _TRANSCRIPTION | _EXTENSIONS)
TRANSLATION_DOC = _form(_COMMON | _EXTENSIONS | {"stream": {"type": "boolean", "x-antiphon-extension": True}})

_SPEECH: dict[str, Any] = {
    "model": {**_TEXT, "description": "A speech model that GET /v1/models lists."},
    "input": {**_TEXT, "maxLength": 4096},
    "voice": {
        "description": "A name that GET /v1/audio/voices lists, or the id of a custom voice.",
        "anyOf": [_TEXT, {"type": "object", "required": ["id"], "properties": {"id": _TEXT}}],
    },
    "instructions": {**_TEXT, "maxLength": 4096},
    "response_format": {**_TEXT, "enum": ["mp3", "opus", "aac", "flac", "wav", "pcm"], "default": "mp3"},
    "speed": {"type": "number", "minimum": 0.25, "maximum": 4, "default": 1},
    "stream_format": {**_TEXT, "enum": ["audio", "sse"], "default": "audio"},
    "stream": {
        "type": "boolean",
        "description": "false: one complete file that tells its length.",
        "x-antiphon-extension": True,
    },
}
SPEECH_DOC: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["model", "input", "voice"], "properties": _SPEECH}
            }
        },
    }
}

_UPLOAD = {**_FILE, "description": "At most 10 MiB, in any format that FFmpeg decodes."}


def _upload(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


VOICE_DOC = _upload(
    {"name": _TEXT, "consent": _TEXT, "audio_sample": _UPLOAD, "type": {**_TEXT, "enum": ["audio_sample"]}},
    ["name", "consent", "audio_sample"],
)
CONSENT_DOC = _upload(
    {"name": _TEXT, "language": {**_TEXT, "description": "BCP 47"}, "recording": _UPLOAD},
    ["name", "language", "recording"],
)
RENAME_DOC: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}}
            }
        },
    }
}
