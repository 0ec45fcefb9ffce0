"""POST /v1/audio/transcriptions/render, an extension: segments that a client has edited -> a file.

Law: pure. The same cue rules as for transcriptions, so that a page and the API give the same subtitles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain import SpokenSegment
from app.errors import InvalidValue
from app.wire import request_fields as table
from app.wire.checked_values import bounded_number
from app.wire.clean_text import clean, one_line
from app.wire.cue_breaks import CueRules
from app.wire.docx import Paragraph, to_docx
from app.wire.field_reader import BodyReader
from app.wire.field_row import RenderFormat
from app.wire.json_bodies import json_object
from app.wire.json_text import dump
from app.wire.languages import language_tag
from app.wire.request_fields import MOST_SEGMENTS, MOST_WORDS
from app.wire.subtitles import make_spoken_cues, to_srt, to_vtt
from engines.types import Word

BODY_BYTES = 8 * 1024 * 1024
SPARE_BRACKETS = 30_000
"""Number of brackets that the text itself may contain."""
LONGEST_NAME = 200
LATEST_SECONDS = 1_000_000.0
"""Greatest time in seconds: no recording is so long, and times stay exact in every format."""


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One document to be made."""

    format: RenderFormat
    segments: tuple[SpokenSegment, ...]
    """The segments; one may have no speaker."""
    title: str
    language: str
    """A BCP 47 tag, or empty."""


def render_request(body: bytes) -> RenderRequest:
    """The body of a request for a file of segments. Raises `InvalidValue` or `InvalidRequest` that names the
    field.
    """
    return edited(BodyReader(json_object(body, MOST_SEGMENTS + MOST_WORDS + SPARE_BRACKETS), "render"))


def edited(reader: BodyReader) -> RenderRequest:
    """Parses a request whose body was read already."""
    form: RenderFormat = reader.choice(table.RENDER_FORMAT)  # type: ignore[assignment]  # a checked choice
    language = reader.text(table.DOCUMENT_LANGUAGE)
    tag = language_tag(language) if language else ""
    if tag is None:
        raise InvalidValue(
            "'language' is no language tag (BCP 47), such as 'en' or 'de-AT'.", param="language"
        )
    segments = _segments(reader.value(table.SEGMENTS))
    return RenderRequest(form, segments, reader.text(table.TITLE), tag)


def rendered(request: RenderRequest, cues: CueRules) -> bytes:
    """The bytes of the rendered document."""
    if request.format == "docx":
        return to_docx(request.title, map(_paragraph, request.segments), request.language)
    if request.format == "json":
        return dump(_document(request))
    if request.format == "text":
        return "\n".join(_line(segment) for segment in request.segments).encode() + b"\n"
    duration = max((segment.end for segment in request.segments), default=0.0)
    made = make_spoken_cues(
        request.segments, cues, duration, named=request.format == "srt" and _named(request)
    )
    return (to_srt(made) if request.format == "srt" else to_vtt(made)).encode()


def _named(request: RenderRequest) -> bool:
    return any(segment.speaker for segment in request.segments)


def _segments(value: Any) -> tuple[SpokenSegment, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidValue("'segments' must be a list with at least one segment.", param="segments")
    if len(value) > MOST_SEGMENTS:
        raise InvalidValue(f"'segments' has more than {MOST_SEGMENTS} entries.", param="segments")
    made: list[SpokenSegment] = []
    left = MOST_WORDS
    for index, entry in enumerate(value):
        made.append(_segment(f"segments[{index}]", entry, left))
        left -= len(made[-1].words)
    return tuple(made)


def _segment(name: str, entry: Any, most: int) -> SpokenSegment:
    """One segment of the request. `most`: the most words that it may have. Raises `InvalidValue`."""
    if not isinstance(entry, dict):
        raise InvalidValue(f"'{name}' must be an object.", param=name)
    start, end = _times(name, entry)
    speaker = entry.get("speaker", "")
    text = entry.get("text")
    if not isinstance(text, str) or not isinstance(speaker, str):
        raise InvalidValue(f"'{name}' needs a 'text', and 'speaker' must be a text.", param=name)
    words = _words(name, entry.get("words"), clean(text), start, end, most)
    return SpokenSegment(start, end, one_line(speaker)[:LONGEST_NAME], words)


def _times(name: str, entry: Mapping[str, Any]) -> tuple[float, float]:
    start = bounded_number(f"{name}.start", entry.get("start"), 0, LATEST_SECONDS)
    end = bounded_number(f"{name}.end", entry.get("end"), 0, LATEST_SECONDS)
    if end < start:
        raise InvalidValue(f"'{name}.end' lies before its 'start'.", param=f"{name}.end")
    return start, end


def _words(name: str, value: Any, text: str, start: float, end: float, most: int) -> tuple[Word, ...]:
    """The words that the client sent with times; without them, the words of the text share the segment's
    time.

    More than `most` are refused before any of them is made.
    """
    if value and not isinstance(value, list):
        raise InvalidValue(f"'{name}.words' must be a list.", param=f"{name}.words")
    words = value or text.split(maxsplit=most)
    if len(words) > most:
        raise InvalidValue(f"'segments' has more than {MOST_WORDS} words.", param="segments")
    if value:
        return tuple(_word(f"{name}.words[{index}]", entry) for index, entry in enumerate(value))
    step = (end - start) / max(1, len(words))
    return tuple(
        Word(f" {word}", start + index * step, start + (index + 1) * step, 1.0)
        for index, word in enumerate(words)
    )


def _word(name: str, entry: Any) -> Word:
    if not isinstance(entry, dict) or not isinstance(entry.get("word"), str):
        raise InvalidValue(f"'{name}' must be an object with 'word', 'start' and 'end'.", param=name)
    start, end = _times(name, entry)
    return Word(f" {one_line(entry['word'])}", start, end, 1.0)


def _paragraph(segment: SpokenSegment) -> Paragraph:
    head = f"{segment.speaker} {_clock(segment.start)}".strip()
    return Paragraph(head, segment.text)


def _line(segment: SpokenSegment) -> str:
    return f"{segment.speaker}: {segment.text}" if segment.speaker else segment.text


def _clock(seconds: float) -> str:
    minutes, rest = divmod(math.floor(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def _document(request: RenderRequest) -> dict[str, Any]:
    segments = []
    for segment in request.segments:
        words = [{"word": w.text.strip(), "start": w.start, "end": w.end} for w in segment.words]
        shape: dict[str, Any] = {
            "start": segment.start,
            "end": segment.end,
            "text": segment.text,
            "words": words,
        }
        segments.append(shape | ({"speaker": segment.speaker} if segment.speaker else {}))
    head = {"title": request.title, "language": request.language}
    return {key: value for key, value in head.items() if value} | {"segments": segments}
