"""The fields of a form about speakers."""

from __future__ import annotations

import base64

import pytest

from app.domain import SpeakerRequest
from app.errors import ApiError
from app.wire.diarization_request import speaker_request
from app.wire.field_reader import FormReader
from app.wire.form_notations import Fields

CLIP = "data:audio/wav;base64," + base64.b64encode(b"sound").decode()


def wanted(*pairs: tuple[str, str], form: str = "diarized_json") -> object:
    return speaker_request(FormReader(Fields(pairs), "transcriptions"), form)


def test_nobody_asks() -> None:
    assert wanted(form="json") is None
    assert wanted(("diarize", "false"), form="srt") is None


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_other_formats_when_asked(form: str) -> None:
    assert wanted(("diarize", "true"), form=form) == SpeakerRequest()


@pytest.mark.parametrize("suffix", ["", "[]", "[0]"])
def test_known_speakers(suffix: str) -> None:
    pairs = [
        (f"known_speaker_names{suffix}", "Anna"),
        (f"known_speaker_references{suffix}", CLIP),
        ("num_speakers", "3"),
    ]
    found = speaker_request(FormReader(Fields(pairs), "transcriptions"), "diarized_json")
    assert found
    assert [(r.name, r.audio) for r in found.references] == [("Anna", b"sound")]
    assert found.speakers == 3


def test_base64_may_be_wrapped() -> None:
    wrapped = CLIP[:30] + "\n " + CLIP[30:]
    assert wanted(("known_speaker_names[]", "Anna"), ("known_speaker_references[]", wrapped))


@pytest.mark.parametrize(
    ("pairs", "param", "says"),
    [
        ([("known_speaker_names[]", "Anna")], "known_speaker_references", "1 entries"),
        ([("known_speaker_references[]", CLIP)], "known_speaker_names", "0 entries"),
        (
            [("known_speaker_names[]", n) for n in "vwxyz"] + [("known_speaker_references[]", CLIP)] * 5,
            "known_speaker_names",
            "At most 4",
        ),
        (
            [("known_speaker_names[]", "Anna")] * 2 + [("known_speaker_references[]", CLIP)] * 2,
            "known_speaker_names",
            "twice",
        ),
        (
            [("known_speaker_names[]", "An\nna"), ("known_speaker_references[]", CLIP)],
            "known_speaker_names",
            "[0]: a name",
        ),
        (
            [("known_speaker_names[]", "x" * 101), ("known_speaker_references[]", CLIP)],
            "known_speaker_names",
            "[0]: a name",
        ),
        *(
            (
                [
                    ("known_speaker_names[]", "Anna"),
                    ("known_speaker_names[]", "Ben"),
                    ("known_speaker_references[]", CLIP),
                    ("known_speaker_references[]", bad),
                ],
                "known_speaker_references",
                "[1]",
            )
            for bad in (
                "not a data url",
                "https://example.org/a.wav",
                "file:///etc/passwd",
                "data:audio/wav;base64,%%%",
                "data:audio/wav,plain",
                "data:audio/wav;base64,AAA",
            )
        ),
        ([("min_speakers", "3"), ("max_speakers", "2")], "min_speakers", "greater"),
        ([("num_speakers", "5"), ("max_speakers", "2")], "num_speakers", "outside"),
        ([("num_speakers", "0")], "num_speakers", "between 1 and 50"),
        ([("num_speakers", "two")], "num_speakers", "between 1 and 50"),
    ],
)
def test_what_cannot_be(pairs: list[tuple[str, str]], param: str, says: str) -> None:
    with pytest.raises(ApiError) as wrong:
        wanted(*pairs)
    assert wrong.value.param == param
    assert says in wrong.value.message
    assert wrong.value.status == 400


def test_formats_that_cannot_say_who() -> None:
    with pytest.raises(ApiError, match="cannot say who speaks"):
        wanted(("diarize", "true"), form="verbose_json")
