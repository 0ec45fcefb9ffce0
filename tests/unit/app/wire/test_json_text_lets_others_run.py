"""Work on a thread does not hold Python's GIL for long, because the event loop, and with it every other
client, waits for it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import pytest

from app.domain import SpokenSegment, Transcript
from app.errors import InvalidRequest
from app.wire.cue_breaks import CueRules
from app.wire.edited_transcripts import BODY_BYTES, render_request, rendered
from app.wire.field_row import RenderFormat
from app.wire.json_text import MOST_MEMBERS, TooManyMembers, dump, load
from app.wire.realtime_events import Append, client_event, decoded
from app.wire.request_fields import MOST_SEGMENTS, MOST_WORDS
from app.wire.transcripts import render
from engines.types import Segment, Word
from tests.support.gil_time import longest_hold

LONGEST = 0.2
"""The longest time, in seconds of CPU time, for which a call may hold Python's GIL. The slowest one takes
0.07 to 0.11, depending on the CPU; a call without bounds takes several tenths.
"""
TRIES = 3
"""Attempts. On a busy machine, a thread may wait for a core and not for the lock; a call that really holds
the lock does so in each attempt.
"""
ROOM = BODY_BYTES - 1000


def lets_others_run(work: Callable[[], object]) -> bool:
    def bounded() -> None:
        with suppress(InvalidRequest, TooManyMembers):
            work()

    return any(longest_hold(bounded) < LONGEST for _ in range(TRIES))


def body(segments: Any) -> bytes:
    return json.dumps({"format": "srt", "segments": segments}).encode()


def segment(text: str, **more: Any) -> dict[str, Any]:
    return {"start": 0, "end": 1, "text": text, **more}


TIMED = [{"word": "a", "start": 0.5, "end": 0.75}]
BODIES: dict[str, Any] = {
    "one long word": [segment("a" * ROOM)],
    "wide letters": [segment("\u8a9e" * (ROOM // 6))],
    "many words": [segment("ab " * (MOST_WORDS - 1000))],
    "thousands of words": [segment("ab " * 15_000)],
    "too many words": [segment("a " * (ROOM // 2))],
    "many segments": [segment("a b c d e")] * MOST_SEGMENTS,
    "words with times": [segment("a", words=TIMED * 10)] * (MOST_WORDS // 11),
    "many keys": [segment("a", **{f"{number:x}": None for number in range(500_000)})],
    "many numbers": [0.25] * 1_200_000,
    "many texts": ["ab"] * 1_300_000,
    "many empty lists": [[]] * 150_000,
}


@pytest.mark.slow
def test_a_call_that_keeps_the_lock_is_seen() -> None:
    text = json.dumps({str(number): None for number in range(1_500_000)})
    assert not lets_others_run(partial(json.loads, text))


@pytest.mark.slow
@pytest.mark.parametrize("name", BODIES)
def test_reading_a_body(name: str) -> None:
    assert lets_others_run(partial(render_request, body(BODIES[name])))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(
            ("thousands of words" if form in ("srt", "vtt") else "many words", form)
            for form in get_args(RenderFormat)
        ),
        ("one long word", "docx"),
        ("many segments", "json"),
        ("words with times", "json"),
    ],
)
def test_making_a_file(name: str, form: RenderFormat) -> None:
    request = replace(render_request(body(BODIES[name])), format=form)
    assert lets_others_run(partial(rendered, request, CueRules()))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "text", "srt", "verbose_json", "diarized_json"])
def test_a_transcript_of_many_hours(form: str) -> None:
    count = 15_000 if form == "srt" else MOST_WORDS
    words = [Word(f" word{number}", number / 3, number / 3 + 0.25, 0.9) for number in range(count)]
    parts = [words[at : at + 10] for at in range(0, len(words), 10)]
    whole = Transcript(
        segments=tuple(
            Segment(part[0].start, part[-1].end, "".join(word.text for word in part), words=tuple(part))
            for part in parts
        ),
        spoken=tuple(SpokenSegment(part[0].start, part[-1].end, "A", tuple(part)) for part in parts)
        if form == "diarized_json"
        else None,
        task="transcribe",
        language=None,
        duration=words[-1].end,
    )
    assert lets_others_run(partial(render, whole, form, "whisper-1", {"word", "segment"}, CueRules()))


VALUES: list[Any] = [
    {},
    [],
    {"a": [], "b": {}},
    {"a": 1.5, "b": None, "c": "\u8a9e\n"},
    {"a": [{"b": [1] * 300}, {"c": "d"}] * 700, "e": "f"},
    {"a": [[1, [2]] * 800]},
    [[{"a": [0] * 150}]] * 3,
    "a", 1, None, math.pi,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: str(value)[:20])
def test_pieces_are_the_whole(value: Any) -> None:
    assert dump(value) == json.dumps(value, ensure_ascii=False).encode()
    assert load(dump(value).decode()) == value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: str(value)[:20])
def test_a_large_text_is_read_as_a_small_one(value: Any) -> None:
    whole = {"pad": '}{"][' + "x" * 300_000 + '\\"', "value": value}
    assert load(json.dumps(whole)) == whole


def test_members_in_a_row_are_bounded() -> None:
    pad = "x" * 300_000
    good = {"pad": pad, "members": {str(number): None for number in range(MOST_MEMBERS - 10)}}
    assert load(json.dumps(good)) == good
    with pytest.raises(TooManyMembers):
        load(
            json.dumps({"pad": pad, "members": {str(number): None for number in range(2 * MOST_MEMBERS + 1)}})
        )
    with pytest.raises(TooManyMembers):
        load(
            json.dumps(
                {"pad": pad, "members": {f"}}{number}": None for number in range(2 * MOST_MEMBERS + 1)}}
            )
        )
    with pytest.raises(ValueError, match="delimiter"):
        load('{"a" ' + pad)


APPEND = '{"type": "input_audio_buffer.append", "audio": "%s"}'
EVENTS = {
    "sound": APPEND % ("A" * 20_900_000),
    "sound of a client that escapes slashes": APPEND % (("A" * 61 + r"\/AA") * 150_000),
    "line breaks": APPEND % (r"\n" * 11_900_000),
    "letters as numbers": APPEND % (r"\u0041" * 3_900_000),
    "no audio": APPEND % ("é" * 11_900_000),
    "many numbers": '{"type": "x"' + ', "a": 1' * 2_500_000 + "}",
    "one number": '{"type": ' + "1" * 24_000_000 + "}",
    "nothing": " " * 24_000_000 + "{}",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EVENTS)
def test_the_longest_events_of_a_live_session(name: str) -> None:
    assert lets_others_run(lambda: client_event(decoded(EVENTS[name])))


def test_sound_may_have_escaped_slashes() -> None:
    sound = bytes(range(256)) * 100
    written = base64.b64encode(sound).decode().replace("/", r"\/")
    assert client_event(decoded(APPEND % written)) == Append(sound)
