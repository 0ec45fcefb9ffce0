"""Every format against its golden file (rewritten by `pytest --rewrite-golden`, reviewed as a diff)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.domain import Transcript, WindowText
from app.wire import sse
from app.wire.cue_breaks import CueRules
from app.wire.transcription_events import EventOptions, TranscriptEvents
from app.wire.transcripts import render
from tests.conftest import ROOT
from tests.support.sample_transcripts import SILENCE, SPEECH, TRANSLATION

GOLDEN = ROOT / "tests/golden"
BOTH = ("word", "segment")
CASES: list[tuple[str, Transcript, str, str, tuple[str, ...]]] = [
    ("json.json", SPEECH, "json", "gpt-4o-transcribe", ("segment",)),
    ("json_whisper_1.json", TRANSLATION, "json", "whisper-1", ("segment",)),
    ("json_gpt_transcribe.json", SPEECH, "json", "gpt-transcribe", ("segment",)),
    ("json_silence.json", SILENCE, "json", "whisper-1", ("segment",)),
    ("text.txt", SPEECH, "text", "whisper-1", ("segment",)),
    ("text_silence.txt", SILENCE, "text", "whisper-1", ("segment",)),
    ("subtitles.srt", SPEECH, "srt", "whisper-1", ("segment",)),
    ("subtitles_silence.srt", SILENCE, "srt", "whisper-1", ("segment",)),
    ("subtitles.vtt", SPEECH, "vtt", "whisper-1", ("segment",)),
    ("subtitles_silence.vtt", SILENCE, "vtt", "whisper-1", ("segment",)),
    ("verbose.json", SPEECH, "verbose_json", "whisper-1", ("segment",)),
    ("verbose_words.json", SPEECH, "verbose_json", "whisper-1", ("word",)),
    ("verbose_both.json", SPEECH, "verbose_json", "whisper-1", BOTH),
    ("verbose_translation.json", TRANSLATION, "verbose_json", "whisper-1", BOTH),
    ("verbose_silence.json", SILENCE, "verbose_json", "whisper-1", ("segment",)),
]


def compare(name: str, body: bytes, rewrite: bool) -> None:
    path = GOLDEN / name
    if name.endswith(".json"):
        body = json.dumps(json.loads(body), indent=1, ensure_ascii=False).encode() + b"\n"
    if rewrite:
        path.write_bytes(body)
    assert body.decode() == path.read_text()


@pytest.mark.parametrize(
    ("name", "transcript", "form", "model", "granularities"), CASES, ids=lambda v: str(v)[:20]
)
def test_golden(
    name: str,
    transcript: Transcript,
    form: str,
    model: str,
    granularities: tuple[str, ...],
    request: pytest.FixtureRequest,
) -> None:
    body = render(transcript, form, model, granularities, CueRules())
    compare(name, body, request.config.getoption("--rewrite-golden"))


def stream(transcript: Transcript, model: str, with_logprobs: bool) -> bytes:
    events = TranscriptEvents(model, EventOptions(logprobs=with_logprobs))
    frames = [
        sse.frame(event) for segment in transcript.segments for event in events.feed(WindowText((segment,)))
    ]
    return b"".join([*frames, sse.frame(events.flush(transcript)), sse.DONE])


@pytest.mark.parametrize(
    ("name", "transcript", "model", "with_logprobs"),
    [
        ("stream.txt", SPEECH, "gpt-4o-transcribe", True),
        ("stream_gpt_transcribe.txt", SPEECH, "gpt-transcribe", False),
        ("stream_silence.txt", SILENCE, "whisper-1", False),
    ],
)
def test_golden_streams(
    name: str, transcript: Transcript, model: str, with_logprobs: bool, request: pytest.FixtureRequest
) -> None:
    compare(name, stream(transcript, model, with_logprobs), request.config.getoption("--rewrite-golden"))


def test_the_final_text_is_what_was_sent() -> None:
    lines = stream(SPEECH, "gpt-4o-transcribe", True).decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert "".join(event["delta"] for event in events[:-1]) == events[-1]["text"] == SPEECH.text
    assert [entry for event in events[:-1] for entry in event["logprobs"]] == events[-1]["logprobs"]


def test_no_golden_file_is_left_over() -> None:
    names = {case[0] for case in CASES} | {"stream.txt", "stream_gpt_transcribe.txt", "stream_silence.txt"}
    assert {path.name for path in Path(GOLDEN).iterdir()} == names
