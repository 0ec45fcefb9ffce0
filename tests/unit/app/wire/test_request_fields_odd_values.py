"""Odd values in every kind of field: each is a 400 that names its field, never a crash."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from app.errors import ApiError, InvalidRequest, InvalidValue
from app.wire.checked_values import bounded_integer, bounded_number
from app.wire.cue_breaks import CueRules
from app.wire.form_notations import Fields
from app.wire.json_bodies import json_object
from app.wire.languages import language_code, language_tag
from app.wire.speech import SpeechRequestRules, speech_request
from app.wire.transcription_request import RequestRules, transcription_request
from app.wire.voice_requests import (
    PageRequest,
    consent_id,
    consent_request,
    page_of_consents,
    page_of_voices,
    voice_id,
    voice_request,
)

RULES = RequestRules(prompt_characters=1000, vad=True, cues=CueRules())
SPEECH = {"model": "tts-1", "input": "hi", "voice": "alloy"}
NO_NUMBERS = [
    "nan", "inf", "-Infinity", "1e999", "1_0", "٣", "0x1", "1,5", "1.2.3", "", "-", ".", "e5",
    "1" * 400, "1" * 5000, "0" * 500_000,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_NUMBERS, ids=lambda text: text[:12])
def test_texts_that_are_no_numbers_in_bounds(text: str) -> None:
    for read in (bounded_number, bounded_integer):
        with pytest.raises(InvalidValue) as caught:
            read("speed", text, 0, 10)
        assert caught.value.param == "speed"


@pytest.mark.parametrize("value", [10**400, -(10**400), True, None, [], float("nan")])
def test_values_that_are_no_numbers_in_bounds(value: object) -> None:
    with pytest.raises(InvalidValue):
        bounded_number("speed", value, 0, 10)


@pytest.mark.parametrize("text", ["1", "+1", "1.0", " 1 ", "01", "1.", "1e0", "10E-1"])
def test_texts_that_are_one(text: str) -> None:
    assert bounded_number("x", text, 0, 10) == bounded_integer("x", text, 0, 10) == 1


@pytest.mark.parametrize(
    "value", ["true", "[]", "{}", "NaN", "-Infinity", "1e999", "1" * 400, "-" + "1" * 5000]
)
def test_numbers_of_json_of_any_length(value: str) -> None:
    body = json.dumps(SPEECH)[:-1] + f', "speed": {value}}}'
    with pytest.raises(InvalidValue) as caught:
        speech_request(body.encode(), SpeechRequestRules(characters=4096))
    assert caught.value.param == "speed"


@pytest.mark.parametrize("value", ["1" * 400, "1" * 5000, "1e400", "NaN", '"1_0"'])
def test_numbers_in_an_object_of_a_form(value: str) -> None:
    strategy = f'{{"type": "server_vad", "silence_duration_ms": {value}}}'
    with pytest.raises(InvalidValue) as caught:
        transcription_request(
            Fields([("model", "whisper-1"), ("chunking_strategy", strategy)]), RULES, "transcribe"
        )
    assert caught.value.param == "chunking_strategy[silence_duration_ms]"


def test_an_object_without_its_type_is_told_what_is_missing() -> None:
    with pytest.raises(
        InvalidValue, match="needs a type: 'chunking_strategy\\[type\\]=server_vad'"
    ) as caught:
        transcription_request(
            Fields([("model", "whisper-1"), ("chunking_strategy[threshold]", "0.5")]), RULES, "transcribe"
        )
    assert caught.value.param == "chunking_strategy[type]"


@pytest.mark.parametrize(
    "field", ["response_format", "stream_format", "instructions", "stream", "voice", "input"]
)
@pytest.mark.parametrize("value", [0, 1, 5.5, [], ["x"], {"a": 1}, 10**400, False])
def test_kinds_of_json_that_a_field_of_speech_has_not(field: str, value: object) -> None:
    if field == "stream" and value is False:
        return  # the only value of this list that is allowed
    with pytest.raises(ApiError) as caught:
        speech_request(json.dumps(SPEECH | {field: value}).encode(), SpeechRequestRules(characters=4096))
    assert caught.value.status == 400
    assert caught.value.param == field


@pytest.mark.parametrize(
    "limit", ["0", "101", "-1", "000000001" + "9" * 30, "9" * 5000, "0000000019999", "1.5", "٣"]
)
def test_limits_of_pages(limit: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        page_of_consents(Fields([("limit", limit)]))
    assert caught.value.param == "limit"


def test_pages_that_can_be() -> None:
    assert page_of_consents(Fields([("after", "a"), ("limit", "0020")])) == PageRequest("a", 20)
    assert page_of_voices(Fields([("after", ""), ("limit", "")])) == PageRequest(None, None)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "x" * 257, "a\nb", "\x9f"])
@pytest.mark.parametrize(
    "read",
    [
        lambda text: page_of_consents(Fields([("after", text)])),
        voice_id,
        consent_id,
        lambda text: Fields([("consent", text)]).id("consent"),
    ],
)
def test_ids_that_nothing_has(text: str, read: Callable[[str], object]) -> None:
    with pytest.raises(ApiError) as caught:
        read(text)
    assert caught.value.status in (400, 404)
    json.dumps(caught.value.envelope(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "body",
    [b"\xed\xa0\x80", '{"model": "x"}'.encode("utf-16"), b'{"model": "\xff"}', b"[" * 100_000, b"\0", b""],
)
def test_bodies_that_are_no_json(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        json_object(body)
    assert caught.value.code == "invalid_json"


def test_half_a_surrogate_pair_is_never_passed_on() -> None:
    asked = speech_request(
        json.dumps(SPEECH | {"input": "a\ud800b\0"}).encode(), SpeechRequestRules(characters=4096)
    )
    assert asked.job.text == "a\ufffdb"
    odd = speech_request(
        json.dumps(SPEECH | {"model": "whisper-\ud800"}).encode(), SpeechRequestRules(characters=4096)
    )
    assert odd.job.model == "whisper-\ufffd"
    quoted = InvalidValue("not '\ud800'", param="x[\ud800]").envelope()
    assert json.dumps(quoted, ensure_ascii=False).encode()
    fields = Fields([("model", "whisper-1"), ("keywords[]", '["a\\ud800", "b"]'), ("prompt", "p\0q")])
    asked_for = transcription_request(fields, RULES, "transcribe").job
    assert asked_for.hotwords == ("a\ufffd", "b")
    assert asked_for.prompt == "pq"


@pytest.mark.parametrize(
    ("text", "tag", "code"),
    [
        ("en", "en", "en"),
        ("EN_us", "en-US", "en"),
        ("english", "en", "en"),
        ("deu", "de", "de"),
        ("zh-Hans-CN", "zh-Hans-CN", "zh"),
        ("cmn", "cmn", "zh"),
        ("zh-yue", "yue", "yue"),
        ("iw", "he", "he"),
        ("javanese", "jv", "jw"),
        ("nb-NO", "nb-NO", "no"),
        ("fil", "fil", "tl"),
        ("qaa", "qaa", None),
        ("tlh", "tlh", None),
    ],
)
def test_languages(text: str, tag: str, code: str | None) -> None:
    assert language_tag(text) == consent_request(Fields([("name", "n"), ("language", text)])).language == tag
    assert language_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "esperanto", "fragile", "en\0", "en" + "x" * 300, "english; drop table", "", "e", "en--us", "en us",
        "x-foo", "١", "en-\ud800", "-" * 35, "-".join(["en"] + ["a1b2"] * 50),
    ],
)  # fmt: skip
def test_no_languages(text: str) -> None:
    assert language_tag(text) is None
    assert language_code(text) is None
    with pytest.raises(InvalidRequest) as caught:
        consent_request(Fields([("name", "n"), ("language", text)]))
    assert caught.value.param == "language"


def test_a_hostile_client_fills_no_cache_of_tags() -> None:
    from langcodes import Language

    before = len(Language._INSTANCES) + len(Language._PARSE_CACHE)
    for number in range(2000):
        language_tag(f"en-x-a{number}")
        language_tag(f"x-a{number}")
    assert len(Language._INSTANCES) + len(Language._PARSE_CACHE) < before + 10


def test_names() -> None:
    assert voice_request(Fields([("name", " a\0\nb "), ("consent", "c")])).name == "ab"
    for bad in ("", "\0", " ", "x" * 257):
        with pytest.raises(InvalidRequest) as caught:
            voice_request(Fields([("name", bad), ("consent", "c")]))
        assert caught.value.param == "name"


def test_a_body_of_millions_of_collections_is_refused_before_they_are_made() -> None:
    for piece in ("[],", "{},", '[{"a":[]}],'):
        body = '{"input":[' + piece * (1_000_000 // len(piece)) + "0]}"
        with pytest.raises(InvalidRequest, match="more than 10000 objects and arrays"):
            json_object(body.encode())
        fields = Fields([("chunking_strategy", body)])
        with pytest.raises(InvalidValue):
            fields.object("chunking_strategy")
