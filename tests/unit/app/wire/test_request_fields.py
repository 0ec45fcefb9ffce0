"""The table of request fields is complete: the parser reads every row, and nothing else."""

from __future__ import annotations

from typing import get_args

import pytest

from app.settings import Settings
from app.wire import request_fields as table
from app.wire.cue_breaks import CueRules
from app.wire.edited_transcripts import edited
from app.wire.field_reader import BodyReader, FormReader, Reader
from app.wire.field_row import Endpoint, RequestField
from app.wire.form_fields import Fields
from app.wire.speech import SpeechRequestRules, speech
from app.wire.transcription_request import RequestRules, transcription, translation
from app.wire.voice_requests import consent, renamed, voice

RULES = RequestRules(prompt_characters=1000, vad=True, cues=CueRules())
FORM = Fields([("model", "m"), ("response_format", "json"), ("diarize", "true"), ("response_format", "srt")])
VOICE = Fields([("name", "n"), ("language", "en"), ("consent", "c")])


def readers() -> list[tuple[Endpoint, Reader]]:
    """For each endpoint with a form or a body, the reader of a request after it was parsed."""
    transcriptions, translations = FormReader(FORM, "transcriptions"), FormReader(FORM, "translations")
    transcription(transcriptions, RULES)
    translation(translations, RULES)
    spoken = BodyReader({"model": "m", "input": "i", "voice": "v"}, "speech")
    speech(spoken, SpeechRequestRules(characters=100))
    voices, consents = FormReader(VOICE, "voices"), FormReader(VOICE, "voice_consents")
    voice(voices)
    consent(consents)
    rename = BodyReader({"name": "n"}, "consent")
    renamed(rename)
    document = BodyReader({"format": "srt", "segments": [{"start": 0, "end": 1, "text": "a"}]}, "render")
    edited(document)
    return [
        ("transcriptions", transcriptions),
        ("translations", translations),
        ("speech", spoken),
        ("voices", voices),
        ("voice_consents", consents),
        ("consent", rename),
        ("render", document),
    ]


def test_the_parser_reads_every_row_and_nothing_else() -> None:
    """Files are read by the routes, queries by `page_of_consents` and `page_of_voices`."""
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
