"""The shapes of answers as JSON Schema, for the OpenAPI document.

Law: data only. Answers of these shapes are made by `transcripts`, `transcription_events`, `speech`,
`model_answers` and `voice_answers`; a test validates them against these schemas and the official ones.
"""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "number"}
INTEGER: dict[str, Any] = {"type": "integer"}
MAYBE_TEXT: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def ref(name: str) -> dict[str, Any]:
    """A reference to the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def shape(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """The schema of an object. Later versions may add keys to it."""
    return {"type": "object", "required": list(required), "properties": required | (optional or {})}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _one(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


_LOGPROB = shape({"token": TEXT, "logprob": NUMBER, "bytes": _list(INTEGER)})
_LANGUAGES = _list(shape({"code": TEXT}))
_TOKENS = shape(
    {"type": _one("tokens"), "input_tokens": INTEGER, "output_tokens": INTEGER, "total_tokens": INTEGER},
    {"input_token_details": shape({"text_tokens": INTEGER, "audio_tokens": INTEGER})},
)
_DURATION = shape({"type": _one("duration"), "seconds": NUMBER})
_USAGE = {"anyOf": [ref("TokenUsage"), ref("DurationUsage")]}
_SPEAKER_SEGMENT = shape(
    {
        "type": _one("transcript.text.segment"),
        "id": TEXT,
        "start": NUMBER,
        "end": NUMBER,
        "text": TEXT,
        "speaker": TEXT,
    }
)
_SEGMENT = shape(
    {
        "id": INTEGER,
        "seek": INTEGER,
        "start": NUMBER,
        "end": NUMBER,
        "text": TEXT,
        "tokens": _list(INTEGER),
        "temperature": NUMBER,
        "avg_logprob": NUMBER,
        "compression_ratio": NUMBER,
        "no_speech_prob": NUMBER,
    }
)
_VOICE = shape(
    {"object": _one("audio.voice"), "id": TEXT, "name": TEXT, "created_at": INTEGER, "type": TEXT},
    {
        "model": TEXT,
        "engine": TEXT,
        "local_voice": TEXT,
        "language": MAYBE_TEXT,
        "gender": MAYBE_TEXT,
        "sample_rate": INTEGER,
        "consent": TEXT,
        "cloner": TEXT,
        "matched_voice": TEXT,
        "similarity": NUMBER,
    },
)
_PAGE_KEYS = {"first_id": MAYBE_TEXT, "last_id": MAYBE_TEXT, "has_more": {"type": "boolean"}}

SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": shape(
        {"error": shape({"message": TEXT, "type": TEXT, "param": MAYBE_TEXT, "code": MAYBE_TEXT})}
    ),
    "TokenUsage": _TOKENS,
    "DurationUsage": _DURATION,
    "Transcription": shape(
        {"text": TEXT}, {"languages": _LANGUAGES, "logprobs": _list(_LOGPROB), "usage": _USAGE}
    ),
    "VerboseTranscription": shape(
        {"task": _one("transcribe", "translate"), "language": TEXT, "duration": NUMBER, "text": TEXT},
        {
            "words": _list(shape({"word": TEXT, "start": NUMBER, "end": NUMBER})),
            "segments": _list(_SEGMENT),
            "usage": ref("DurationUsage"),
        },
    ),
    "DiarizedTranscription": shape(
        {
            "task": _one("transcribe"),
            "duration": NUMBER,
            "text": TEXT,
            "segments": _list(ref("SpeakerSegment")),
            "usage": _USAGE,
        }
    ),
    "SpeakerSegment": _SPEAKER_SEGMENT,
    "TranscriptDelta": shape(
        {"type": _one("transcript.text.delta"), "delta": TEXT},
        {
            "logprobs": _list(_LOGPROB),
            "segment_id": TEXT,
            "start": NUMBER,
            "end": NUMBER,
            "words": _list(shape({"word": TEXT, "start": NUMBER, "end": NUMBER})),
        },
    ),
    "TranscriptionProgress": shape(
        {"type": _one("antiphon.progress"), "seconds": NUMBER, "queued": NUMBER}, {"expected": NUMBER}
    ),
    "TranscriptionPeaks": shape(
        {"type": _one("antiphon.peaks"), "start": NUMBER, "rate": INTEGER, "data": TEXT}
    ),
    "About": shape(
        {
            "object": _one("about"),
            "version": TEXT,
            "limits": {"type": "object", "additionalProperties": NUMBER},
            "features": {"type": "object"},
            "organisation": TEXT,
            "consent_phrases": {"type": "object", "additionalProperties": TEXT},
        }
    ),
    "TranscriptDone": shape(
        {"type": _one("transcript.text.done"), "text": TEXT},
        {"languages": _LANGUAGES, "logprobs": _list(_LOGPROB), "usage": ref("TokenUsage")},
    ),
    "SpeechDelta": shape({"type": _one("speech.audio.delta"), "audio": TEXT}),
    "SpeechDone": shape(
        {
            "type": _one("speech.audio.done"),
            "usage": shape({"input_tokens": INTEGER, "output_tokens": INTEGER, "total_tokens": INTEGER}),
        }
    ),
    "Model": shape(
        {"id": TEXT, "object": _one("model"), "created": INTEGER, "owned_by": TEXT}, {"state": TEXT}
    ),
    "ModelList": shape({"object": _one("list"), "data": _list(ref("Model"))}),
    "Voice": _VOICE,
    "VoiceList": shape(
        {"object": _one("list"), "data": _list(ref("Voice")), **_PAGE_KEYS},
        {"voices": _list(shape({"id": TEXT, "name": TEXT}))},
    ),
    "DeletedVoice": shape(
        {"id": TEXT, "object": _one("audio.voice.deleted"), "deleted": {"type": "boolean"}}
    ),
    "VoiceConsent": shape(
        {
            "object": _one("audio.voice_consent"),
            "id": TEXT,
            "name": TEXT,
            "language": TEXT,
            "created_at": INTEGER,
        }
    ),
    "VoiceConsentList": shape({"object": _one("list"), "data": _list(ref("VoiceConsent")), **_PAGE_KEYS}),
    "DeletedVoiceConsent": shape(
        {"id": TEXT, "object": _one("audio.voice_consent"), "deleted": {"type": "boolean"}}
    ),
}
