"""The schemas of live sessions in /openapi.json are those that are really read and written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from app.domain.live import LiveSettings
from app.wire.answer_schemas import SCHEMAS
from app.wire.client_secrets import secret_answer, secret_request
from app.wire.realtime_schemas import REALTIME_SCHEMAS

DEFAULT = LiveSettings(model="whisper-1")
HEARD = {"model": "whisper-1", "language": "de", "prompt": "Moin.", "keywords": ["Elbe"], "delay": "low"}
TURNS: list[dict[str, Any] | None] = [
    None,
    {"type": "semantic_vad", "eagerness": "high"},
    {"type": "server_vad", "threshold": 0.4, "prefix_padding_ms": 200, "silence_duration_ms": 900},
]


def check(name: str, value: object) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS | REALTIME_SCHEMAS}}
    Draft202012Validator(schema).validate(value)


def current(turns: dict[str, Any] | None) -> dict[str, Any]:
    heard = {"format": {"type": "audio/pcm", "rate": 16_000}, "transcription": HEARD, "turn_detection": turns}
    include = ["item.input_audio_transcription.logprobs"]
    session = {"type": "transcription", "audio": {"input": heard}, "include": include}
    return {"expires_after": {"anchor": "created_at", "seconds": 60}, "session": session}


def beta(turns: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": HEARD,
        "input_audio_noise_reduction": {"type": "near_field"},
        "turn_detection": turns,
        "client_secret": {"expires_at": {"anchor": "created_at", "seconds": 600}},
    }


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize(
    ("body", "asked", "answered"),
    [
        (current, "ClientSecretRequest", "ClientSecret"),
        (beta, "TranscriptionSessionRequest", "TranscriptionSession"),
    ],
)
def test_bodies_and_answers_have_their_shapes(
    body: Any, asked: str, answered: str, turns: dict[str, Any] | None
) -> None:
    sent = body(turns)
    check(asked, sent)
    wanted = secret_request(json.dumps(sent).encode(), DEFAULT, beta=body is beta)
    assert wanted.settings.language == "de"
    check(answered, secret_answer("ek_a", 1, wanted.settings, "sess_a", beta=body is beta))


@pytest.mark.parametrize("old", [False, True])
def test_an_empty_body_has_its_shape_too(old: bool) -> None:
    check("TranscriptionSessionRequest" if old else "ClientSecretRequest", {})
    wanted = secret_request(b"", DEFAULT, beta=old)
    name = "TranscriptionSession" if old else "ClientSecret"
    check(name, secret_answer("ek_a", 1, wanted.settings, "sess_a", beta=old))


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValidationError):
        check("ClientSecretRequest", {"expires_after": {"seconds": 5}})
    with pytest.raises(ValidationError):
        check("ClientSecret", {"value": "ek_a"})
