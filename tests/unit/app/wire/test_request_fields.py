"""The table of request fields is complete: the parser reads every row, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from app.errors import ApiError
from app.settings import Settings
from app.wire import request_fields as table
from app.wire.cue_breaks import CueRules
from app.wire.edited_transcripts import edited
from app.wire.field_reader import BodyReader, FormReader, Reader
from app.wire.field_row import Endpoint, RequestField
from app.wire.field_schemas import description, field_schema
from app.wire.form_notations import Fields
from app.wire.speech import SpeechRequestRules, speech
from app.wire.transcription_request import RequestRules, transcription, translation
from app.wire.voice_requests import consent, page, renamed, voice

RULES = RequestRules(prompt_characters=1000, vad=True, cues=CueRules())
FORM = Fields([("model", "m"), ("response_format", "json"), ("diarize", "true"), ("response_format", "srt")])
VOICE = Fields([("name", "n"), ("language", "en"), ("consent", "c")])
SPOKEN = {"model": "m", "input": "i", "voice": "v"}


def readers() -> list[tuple[Endpoint, Reader]]:
    """For each endpoint, the reader of a request after it was parsed."""
    transcriptions, translations = FormReader(FORM, "transcriptions"), FormReader(FORM, "translations")
    transcription(transcriptions, RULES)
    translation(translations, RULES)
    spoken = BodyReader(SPOKEN, "speech")
    speech(spoken, SpeechRequestRules(characters=100))
    voices, consents = FormReader(VOICE, "voices"), FormReader(VOICE, "voice_consents")
    voice(voices)
    consent(consents)
    rename = BodyReader({"name": "n"}, "consent")
    renamed(rename)
    document = BodyReader({"format": "srt", "segments": [{"start": 0, "end": 1, "text": "a"}]}, "render")
    edited(document)
    all_voices, all_consents = FormReader(Fields([]), "list_voices"), FormReader(Fields([]), "list_consents")
    page(all_voices, table.VOICE_LIMIT)
    page(all_consents, table.LIMIT)
    return [
        ("transcriptions", transcriptions),
        ("translations", translations),
        ("speech", spoken),
        ("voices", voices),
        ("voice_consents", consents),
        ("consent", rename),
        ("render", document),
        ("list_voices", all_voices),
        ("list_consents", all_consents),
    ]


def test_the_parser_reads_every_row_and_nothing_else() -> None:
    """Fields that are files are left out, because the routes read them."""
    assert {endpoint for endpoint, _ in readers()} == set(get_args(Endpoint))
    for endpoint, reader in readers():
        assert reader.asked == {row for row in table.of(endpoint) if row.kind != "file"}, endpoint


def test_a_row_of_another_endpoint_cannot_be_read() -> None:
    with pytest.raises(AssertionError):
        FormReader(FORM, "translations").flag(table.DIARIZE, default=False)


@pytest.mark.parametrize("row", table.FIELDS, ids=lambda row: f"{row.endpoints[0]}.{row.name}")
def test_rows_are_whole(row: RequestField) -> None:
    assert set(row.extension) <= set(row.endpoints) <= set(get_args(Endpoint))
    assert row.sentence.endswith(".")
    for name in (row.high_setting, row.default_setting):
        assert not name or table.setting(Settings(), name) is not None
    if row.kind in ("number", "integer"):
        assert row.low is not None
        assert row.high is not None
    if row.kind in ("choice", "choices", "strategy"):
        assert row.choices
        assert row.default is None or row.default in row.choices


def test_no_endpoint_has_a_name_twice() -> None:
    for endpoint in get_args(Endpoint):
        names = [row.name for row in table.of(endpoint)]
        assert len(names) == len(set(names)), endpoint


def transcribed() -> Any:
    return transcription(FormReader(Fields([("model", "m")]), "transcriptions"), RULES)


def spoken() -> Any:
    return speech(BodyReader(SPOKEN, "speech"), SpeechRequestRules(characters=100))


def kind_of_voice() -> str:
    try:
        voice(FormReader(VOICE, "voices"))
    except ApiError:
        return "prompt"
    return "audio_sample"


PARSED: dict[str, tuple[str | float | bool, Callable[[], object]]] = {
    "STREAM": (True, lambda: transcribed().stream),
    "RESPONSE_FORMAT": ("vtt", lambda: transcribed().format),
    "GRANULARITIES": ("word", lambda: next(iter(transcribed().granularities))),
    "TEMPERATURE": (0.5, lambda: transcribed().job.temperature),
    "TRANSLATION_FORMAT": (
        "vtt",
        lambda: translation(FormReader(Fields([("model", "m")]), "translations"), RULES).format,
    ),
    "AUDIO_FORMAT": ("wav", lambda: spoken().format),
    "SPEED": (2.0, lambda: spoken().job.speed),
    "STREAM_FORMAT": ("sse", lambda: "sse" if spoken().events else "audio"),
    "WHOLE": (False, lambda: not spoken().whole),
    "VOICE_TYPE": ("prompt", kind_of_voice),
    "LIMIT": (7, lambda: page(FormReader(Fields([]), "list_consents"), table.LIMIT).limit),
}
"""For each row with a default: another default, and what the parser makes of a request without the field."""


def test_every_default_is_tried() -> None:
    rows = {name: row for name, row in vars(table).items() if isinstance(row, RequestField)}
    assert {name for name, row in rows.items() if row.default is not None} == set(PARSED)


@pytest.mark.parametrize("name", PARSED)
def test_the_parser_takes_the_default_of_the_row(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row: RequestField = getattr(table, name)
    other, parsed = PARSED[name]
    assert parsed() == row.default
    monkeypatch.setattr(table, name, replace(row, default=other))
    assert parsed() == other


@pytest.mark.parametrize(
    "read",
    [
        lambda: FormReader(FORM, "transcriptions").text(table.PROMPT),
        lambda: BodyReader(SPOKEN, "speech").text(table.INPUT),
        lambda: BodyReader({}, "render").text(table.TITLE, 5),
        lambda: FormReader(FORM, "transcriptions").flag(table.STREAM, default=True),
        lambda: FormReader(FORM, "transcriptions").flag(table.VAD_FILTER),
        lambda: FormReader(FORM, "transcriptions").number(table.CUE_SECONDS),
    ],
    ids=["no bound", "no bound of a body", "second bound", "second default", "no default", "no number"],
)
def test_a_bound_or_default_comes_from_the_row_or_its_setting(read: Callable[[], object]) -> None:
    with pytest.raises(AssertionError):
        read()


def strategies() -> list[Any]:
    """Values of `chunking_strategy`, right and wrong ones, with every bound of every number."""
    plain = ["auto", "server_vad", "always", {}, {"type": "auto"}, {"type": "server_vad"}, {"type": "x"}]
    unknown = [{"type": kind, "x": 1} for kind in ("auto", "server_vad")]
    numbers = [
        {"type": kind, part.name: value}
        for kind in ("auto", "server_vad")
        for part in table.CHUNKING.parts
        for value in (part.low, part.high, part.low - 1, part.high + 1, part.low + 0.5)
    ]
    return [*plain, *unknown, *numbers, {"threshold": 0.5}]


@pytest.mark.parametrize("value", strategies(), ids=str)
def test_the_document_and_the_parser_agree_on_strategies(value: Any) -> None:
    schema = field_schema(table.CHUNKING, "transcriptions", Settings())
    sent = value if isinstance(value, str) else json.dumps(value)
    fields = Fields([("model", "m"), ("chunking_strategy", sent)])
    try:
        transcription(FormReader(fields, "transcriptions"), RULES)
        taken = True
    except ApiError:
        taken = False
    assert Draft202012Validator(schema).is_valid(value) == taken


def test_the_document_bounds_segments() -> None:
    assert field_schema(table.SEGMENTS, "render", Settings())["maxItems"] == table.MOST_SEGMENTS


def test_a_sentence_has_the_values_of_the_settings_that_it_names() -> None:
    settings = Settings.model_validate({"voices": {"shortest_seconds": 2, "longest_seconds": 9}})
    assert description(table.SAMPLE, settings).startswith("2 to 9 seconds of speech")
    assert "antiphon.progress events" in description(table.INCLUDE, settings)
