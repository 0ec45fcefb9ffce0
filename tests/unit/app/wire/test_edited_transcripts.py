"""Edited segments become files: every format, and every limit."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from typing import Any

import docx
import pytest

from app.errors import ApiError
from app.wire.cue_breaks import CueRules
from app.wire.edited_transcripts import render_request, rendered
from app.wire.request_fields import MOST_SEGMENTS, MOST_WORDS

pytestmark = pytest.mark.slow

SEGMENTS = [
    {"start": 0.5, "end": 2.0, "text": "Good morning, Jürgen.", "speaker": "Anna"},
    {
        "start": 2.5,
        "end": 4.0,
        "text": "Guten Tag & <hallo>",
        "speaker": "Jürgen",
        "words": [
            {"word": "Guten", "start": 2.5, "end": 3.0},
            {"word": "Tag", "start": 3.0, "end": 3.2},
            {"word": "&", "start": 3.2, "end": 3.4},
            {"word": "<hallo>", "start": 3.4, "end": 4.0},
        ],
    },
]


def made(form: str, segments: Any = SEGMENTS, **more: Any) -> bytes:
    body = {"format": form, "segments": segments, **more}
    return rendered(render_request(json.dumps(body).encode()), CueRules())


def test_subtitles_name_who_speaks_and_keep_the_times() -> None:
    srt = made("srt").decode()
    assert "00:00:00,500 --> " in srt
    assert "Anna: Good morning, Jürgen." in srt
    vtt = made("vtt").decode()
    assert vtt.startswith("WEBVTT")
    assert "<v Jürgen>" in vtt
    assert "Guten Tag &amp; &lt;hallo&gt;" in vtt


def test_text_and_json() -> None:
    assert made("text").decode() == "Anna: Good morning, Jürgen.\nJürgen: Guten Tag & <hallo>\n"
    document = json.loads(made("json", title="Talk", language="de_at"))
    assert document["language"] == "de-AT"
    assert document["segments"][1]["words"][0] == {"word": "Guten", "start": 2.5, "end": 3.0}


@pytest.mark.parametrize("odd", ["A\n\nB", "A\r\rB", "A\u2028\u2029 B", "A\x85\x0b\x0cB", "\tA\0 B\n"])
def test_names_and_words_are_one_line(odd: str) -> None:
    """An empty line in a name would end the cue, so that a name could put other text at other times into
    the file.
    """
    words = [{"word": odd, "start": 0, "end": 1}]
    segments = [{"start": 0, "end": 1, "text": "x", "speaker": odd, "words": words}]
    assert made("srt", segments).decode() == "1\n00:00:00,000 --> 00:00:01,000\nA B: A B\n"
    assert made("vtt", segments).decode() == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v A B>A B\n"
    assert made("text", segments).decode() == "A B: A B\n"


def test_word_opens_the_document() -> None:
    data = made("docx", title="Interview <1>", language="de")
    document = docx.Document(io.BytesIO(data))
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts == [
        "Interview <1>",
        "Anna 00:00  Good morning, Jürgen.",
        "Jürgen 00:02  Guten Tag & <hallo>",
    ]
    assert document.paragraphs[1].runs[0].bold
    assert data == made("docx", title="Interview <1>", language="de")
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


def test_characters_that_xml_cannot_hold_are_left_out() -> None:
    segment = {"start": 0, "end": 1, "text": "a\u0001b\ufffe\ud800c"}
    document = docx.Document(io.BytesIO(made("docx", [segment])))
    assert "b" in document.paragraphs[0].text


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"format": "pdf", "segments": SEGMENTS}, "format"),
        ({"segments": SEGMENTS}, "format"),
        ({"format": "srt"}, "segments"),
        ({"format": "srt", "segments": []}, "segments"),
        ({"format": "srt", "segments": {"a": 1}}, "segments"),
        ({"format": "srt", "segments": ["x"]}, "segments[0]"),
        ({"format": "srt", "segments": [{"start": 0, "end": 1}]}, "segments[0]"),
        ({"format": "srt", "segments": [{"start": 2, "end": 1, "text": "a"}]}, "segments[0].end"),
        ({"format": "srt", "segments": [{"start": -1, "end": 1, "text": "a"}]}, "segments[0].start"),
        ({"format": "srt", "segments": [{"start": "0", "end": True, "text": "a"}]}, "segments[0].end"),
        (
            {"format": "srt", "segments": [{"start": 0, "end": 1, "text": "a", "words": 3}]},
            "segments[0].words",
        ),
        (
            {"format": "srt", "segments": [{"start": 0, "end": 1, "text": "a", "words": [{"word": 1}]}]},
            "segments[0].words[0]",
        ),
        ({"format": "srt", "segments": SEGMENTS, "language": "no such language!"}, "language"),
        ({"format": "srt", "segments": SEGMENTS, "title": "x" * 501}, "title"),
        ({"format": "srt", "segments": [SEGMENTS[0]] * (MOST_SEGMENTS + 1)}, "segments"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as failure:
        render_request(json.dumps(body).encode())
    assert failure.value.status == 400
    assert failure.value.param == param


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ({"text": "a " * 4_000_000}, f"more than {MOST_WORDS} words"),
        ({"text": "a", "words": [0] * 4_000_000}, f"more than {MOST_WORDS} words"),
        ({"text": "a", "words": [[]] * 2_000_000}, "objects and arrays"),
    ],
    ids=["text", "words", "lists"],
)
def test_too_many_words_are_refused_before_they_take_memory(segment: dict[str, Any], message: str) -> None:
    body = json.dumps(
        {"format": "srt", "segments": [{"start": 0, "end": 1, **segment}]}, separators=(",", ":")
    )
    data = body.encode()
    tracemalloc.start()
    try:
        with pytest.raises(ApiError, match=message):
            render_request(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(data)
    finally:
        tracemalloc.stop()


def test_all_segments_together_have_a_bound_on_words() -> None:
    segments = [{"start": i, "end": i + 1, "text": "a " * 1001} for i in range(MOST_WORDS // 1000)]
    with pytest.raises(ApiError, match=f"more than {MOST_WORDS} words"):
        made("srt", segments)
    assert made("text", segments[:-1]).count(b"a") == (len(segments) - 1) * 1001
