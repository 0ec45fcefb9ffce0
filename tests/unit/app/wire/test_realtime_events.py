"""Events of live sessions: what clients may send, and what they are told when it is wrong."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from app.domain.live import LiveSettings, NoiseReduction, SemanticTurns, ServerTurns, SoundFormat
from app.errors import ApiError, InvalidRequest
from app.wire import realtime_events as wire
from app.wire.client_secrets import secret_request
from app.wire.realtime_session import LOGPROBS, session_object, updated

DEFAULT = LiveSettings(model="whisper-1")


def ga(audio_input: Any, **session: Any) -> dict[str, Any]:
    return {"type": "transcription", "audio": {"input": audio_input}, **session}


def change(audio_input: Any, settings: LiveSettings = DEFAULT, **session: Any) -> LiveSettings:
    return updated(settings, ga(audio_input, **session), DEFAULT, beta=False)


@pytest.mark.parametrize(
    ("audio_input", "field", "value"),
    [
        ({"format": {"type": "audio/pcm", "rate": 16_000}}, "format", SoundFormat("pcm", 16_000)),
        ({"format": {"type": "audio/pcma"}}, "format", SoundFormat("pcma", 8000)),
        ({"transcription": {"language": "en-US"}}, "language", "en"),
        ({"transcription": {"language": ""}}, "language", None),
        ({"transcription": {"keywords": ["Antiphon"]}}, "keywords", ("Antiphon",)),
        ({"transcription": {"delay": "low"}}, "delay", "low"),
        ({"noise_reduction": {"type": "near_field"}}, "noise", NoiseReduction("near_field")),
        ({"turn_detection": None}, "turns", None),
        ({"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}, "turns", SemanticTurns("high")),
        ({"turn_detection": {"type": "server_vad", "threshold": 0}}, "turns", ServerTurns(0.0)),
        ({"turn_detection": {"type": "server_vad", "create_response": True}}, "turns", ServerTurns()),
        ({"transcription": {"model": "gpt-live-transcribe"}}, "turns", None),
    ],
)
def test_an_update_changes_what_it_names(audio_input: Any, field: str, value: Any) -> None:
    changed = change(audio_input)
    assert getattr(changed, field) == value


def test_what_an_update_leaves_out_stays() -> None:
    first = change(
        {"transcription": {"model": "gpt-4o-transcribe", "prompt": "A speech."}}, include=[LOGPROBS]
    )
    second = change({"transcription": {"language": "de"}}, first)
    assert (second.model, second.prompt, second.language, second.logprobs) == (
        "gpt-4o-transcribe",
        "A speech.",
        "de",
        True,
    )


@pytest.mark.parametrize(
    ("audio_input", "param"),
    [
        ({"format": {"type": "audio/opus"}}, "session.audio.input.format.type"),
        ({"format": {"type": "audio/pcm", "rate": 1}}, "session.audio.input.format.rate"),
        ({"format": {"type": "audio/pcm", "rate": []}}, "session.audio.input.format.rate"),
        ({"format": 7}, "session.audio.input.format"),
        ({"turn_detection": {"type": "sometimes"}}, "session.audio.input.turn_detection.type"),
        ({"turn_detection": {"threshold": 2}}, "session.audio.input.turn_detection.threshold"),
        ({"turn_detection": {"threshold": True}}, "session.audio.input.turn_detection.threshold"),
        ({"turn_detection": {"threshold": float("nan")}}, "session.audio.input.turn_detection.threshold"),
        (
            {"turn_detection": {"silence_duration_ms": -5}},
            "session.audio.input.turn_detection.silence_duration_ms",
        ),
        ({"noise_reduction": {"type": "underwater"}}, "session.audio.input.noise_reduction.type"),
        ({"noise_reduction": []}, "session.audio.input.noise_reduction"),
        ({"transcription": {"language": "klingon"}}, "session.audio.input.transcription.language"),
        ({"transcription": {"model": 5}}, "session.audio.input.transcription.model"),
        ({"transcription": {"model": ""}}, "session.audio.input.transcription.model"),
        ({"transcription": {"prompt": "x" * 10_001}}, "session.audio.input.transcription.prompt"),
        ({"transcription": {"keywords": ["x"] * 101}}, "session.audio.input.transcription.keywords"),
        ({"transcription": {"delay": "never"}}, "session.audio.input.transcription.delay"),
        ([], "session.audio.input"),
    ],
)
def test_wrong_values_name_their_path(audio_input: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        change(audio_input)
    assert caught.value.param == param


@pytest.mark.parametrize("session", [None, 5, [], {}, {"type": "realtime"}])
def test_a_session_is_an_object_of_its_type(session: Any) -> None:
    with pytest.raises(InvalidRequest):
        updated(DEFAULT, session, DEFAULT, beta=False)


def test_both_shapes_tell_the_same_settings() -> None:
    flat = {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 200},
        "input_audio_noise_reduction": {"type": "far_field"},
    }
    settings = updated(DEFAULT, flat, DEFAULT, beta=True)
    shown = session_object(settings, beta=True)
    assert {name: shown[name] for name in ("input_audio_format", "input_audio_transcription")} == {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en"},
    }
    heard = session_object(settings, beta=False)["audio"]["input"]
    assert heard["format"] == {"type": "audio/pcmu"}
    assert heard["turn_detection"] == shown["turn_detection"]
    assert updated(DEFAULT, ga(heard), DEFAULT, beta=False) == settings


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "invalid_json"),
        ("", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ("[]", "invalid_event"),
        ("null", "invalid_event"),
        (b"\x00\x01", "invalid_event"),
        ('{"type": 7}', "invalid_event"),
        ("{}", "invalid_event"),
        ('{"type": "no.such.event"}', "invalid_value"),
        ('{"type": "response.create"}', "unsupported_event"),
        ('{"type": "conversation.item.create"}', "unsupported_event"),
        ('{"type": "session.update"}', "missing_required_parameter"),
        ('{"type": "input_audio_buffer.append"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": 5}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": "AAA"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": "AAAA!!!!AAAA"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": "\\ud800AAA"}', "invalid_value"),
    ],
)
def test_what_is_no_event_has_a_code(frame: str | bytes, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        wire.client_event(wire.decoded(frame))
    assert caught.value.code == code


def test_sound_is_decoded_and_bounded() -> None:
    event = {"type": "input_audio_buffer.append", "audio": base64.b64encode(b"abcd").decode()}
    assert wire.client_event(event) == wire.Append(b"abcd")
    event["audio"] = "A" * (wire.APPEND_BYTES // 3 * 4 + 8)
    with pytest.raises(InvalidRequest) as caught:
        wire.client_event(event)
    assert caught.value.code == "string_above_max_length"


LONG = base64.b64encode(bytes(range(256)) * 20).decode()


@pytest.mark.parametrize(
    "frame",
    [
        f'{{"type":"input_audio_buffer.append","audio":"{LONG}"}}',
        f'{{ "event_id": "e \\" 1", "audio" : "{LONG}", "type": "input_audio_buffer.append" }}',
        f'{{"audio":"{LONG}","type":"input_audio_buffer.append","more":{{"audio":[1,{{"a":"b"}}]}}}}',
        f'{{"audio":"{LONG}","audio":"AAAA","type":"input_audio_buffer.append"}}',
        f'{{"more":{{"audio":"{LONG}"}},"audio":"AAAA","type":"input_audio_buffer.append"}}',
        f'{{"type":"input_audio_buffer.append","audio":"{LONG}","note":"<sound>"}}',
        '{"type":"input_audio_buffer.append","audio":"' + LONG.replace("/", "\\/") + '"}',
        f'{{"type":"session.update","session":{{"audio":{{"prompt":"{LONG}"}}}}}}',
        f'{{"type":"a","prompt":"{LONG}","x":"\\"audio\\""}}',
        f'["audio", "{LONG}"]',
    ],
)
def test_a_long_event_is_read_as_the_json_library_reads_it(frame: str) -> None:
    expected = json.loads(frame)
    if isinstance(expected, dict):
        assert wire.decoded(frame) == expected
    else:
        with pytest.raises(InvalidRequest):
            wire.decoded(frame)


def test_events_that_differ_in_their_sound_alone_are_read_apart() -> None:
    sounds = [base64.b64encode(bytes([number]) * 5_000).decode() for number in range(3)]
    frames = [f'{{"type":"input_audio_buffer.append","audio":"{sound}"}}' for sound in sounds]
    events = [wire.decoded(frame) for frame in frames]
    assert [event["audio"] for event in events] == sounds
    events[0]["type"] = "changed"
    assert wire.decoded(frames[1])["type"] == "input_audio_buffer.append"


@pytest.mark.parametrize("broken", ["]", '"', ',"x"', ""])
def test_a_long_event_with_broken_json_is_refused(broken: str) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        wire.decoded(f'{{"type":"input_audio_buffer.append","audio":"{LONG}"{broken}')
    assert wrong.value.code == "invalid_json"


def test_an_error_names_the_event_that_caused_it() -> None:
    told = wire.error_event(ApiError("No."), "evt_mine")["error"]
    assert set(told) == {"type", "code", "message", "param", "event_id"}
    assert told["event_id"] == "evt_mine"
    lone = json.loads('{"event_id": "\\ud800"}')
    assert (wire.event_id(lone) or "").encode()


@pytest.mark.parametrize("seconds", [5, 9000, True, "60", None, 1.5])
def test_the_time_of_a_secret_is_bounded(seconds: Any) -> None:
    body = json.dumps({"expires_after": {"anchor": "created_at", "seconds": seconds}}).encode()
    with pytest.raises(InvalidRequest):
        secret_request(body, DEFAULT, beta=False)


def test_a_secret_without_wishes_has_the_defaults() -> None:
    wanted = secret_request(b"", DEFAULT, beta=False)
    assert (wanted.seconds, wanted.settings) == (600, DEFAULT)
