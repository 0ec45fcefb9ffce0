"""Strict mode refuses what OpenAI refuses, and nothing else; lenient mode serves it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.errors import InvalidRequest
from app.wire.cue_breaks import CueRules
from app.wire.form_notations import Fields
from app.wire.transcription_request import RequestRules, transcription_request

LENIENT = RequestRules(prompt_characters=1000, vad=True, cues=CueRules())
STRICT = replace(LENIENT, strict=True)
REFUSED: list[tuple[str, list[tuple[str, str]], str]] = [
    ("gpt-4o-transcribe", [("response_format", "verbose_json")], "response_format"),
    ("gpt-4o-mini-transcribe", [("response_format", "srt")], "response_format"),
    ("gpt-4o-transcribe-diarize", [("response_format", "vtt")], "response_format"),
    ("whisper-1", [("timestamp_granularities[]", "word")], "timestamp_granularities"),
    ("whisper-1", [("include[]", "logprobs")], "include"),
    ("gpt-4o-transcribe", [("include[]", "logprobs"), ("response_format", "text")], "include"),
    ("gpt-4o-transcribe-diarize", [("chunking_strategy", "auto"), ("prompt", "x")], "prompt"),
    ("gpt-4o-transcribe-diarize", [], "chunking_strategy"),
    ("whisper-1", [("keywords[]", "x")], "keywords"),
    ("gpt-4o-transcribe", [("languages[]", "de")], "languages"),
]
ACCEPTED: list[tuple[str, list[tuple[str, str]]]] = [
    ("whisper-1", [("response_format", "verbose_json"), ("timestamp_granularities[]", "word")]),
    ("gpt-4o-transcribe", [("include[]", "logprobs"), ("prompt", "x")]),
    ("gpt-4o-transcribe-diarize", [("chunking_strategy", "auto")]),
    ("gpt-transcribe", [("languages[]", "de"), ("keywords[]", "x")]),
    ("my/own-model", [("response_format", "srt"), ("include[]", "logprobs"), ("keywords[]", "x")]),
]


@pytest.mark.parametrize(("model", "pairs", "param"), REFUSED)
def test_strict_refuses_and_lenient_serves(model: str, pairs: list[tuple[str, str]], param: str) -> None:
    fields = Fields([("model", model), *pairs])
    with pytest.raises(InvalidRequest) as caught:
        transcription_request(fields, STRICT, "transcribe")
    assert caught.value.param == param
    assert transcription_request(fields, LENIENT, "transcribe").job.model == model


@pytest.mark.parametrize(("model", "pairs"), ACCEPTED)
def test_strict_serves_the_rest(model: str, pairs: list[tuple[str, str]]) -> None:
    assert transcription_request(Fields([("model", model), *pairs]), STRICT, "transcribe").job.model == model


def test_openai_s_own_words() -> None:
    fields = Fields([("model", "gpt-4o-transcribe"), ("response_format", "verbose_json")])
    with pytest.raises(InvalidRequest) as caught:
        transcription_request(fields, STRICT, "transcribe")
    assert caught.value.message == (
        "response_format 'verbose_json' is not compatible with model 'gpt-4o-transcribe'. "
        "Use 'json' or 'text' instead."
    )


def test_only_one_model_translates() -> None:
    with pytest.raises(InvalidRequest, match="invalid model ID"):
        transcription_request(Fields([("model", "gpt-4o-transcribe")]), STRICT, "translate")
    assert (
        transcription_request(Fields([("model", "whisper-1")]), STRICT, "translate").job.task == "translate"
    )
