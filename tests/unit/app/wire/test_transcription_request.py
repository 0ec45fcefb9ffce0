"""Requests: what clients ask for becomes a job."""

from __future__ import annotations

import pytest

from app.domain import VadOptions
from app.wire.cue_breaks import CueRules
from app.wire.form_notations import Fields
from app.wire.languages import NAMES, language_code, language_name
from app.wire.transcription_request import RequestRules, TranscriptionRequest, transcription_request

RULES = RequestRules(prompt_characters=1000, vad=True, cues=CueRules())


def request(*pairs: tuple[str, str], task: str = "transcribe") -> TranscriptionRequest:
    fields = Fields([("model", "whisper-1"), *pairs])
    return transcription_request(fields, RULES, task)  # type: ignore[arg-type]  # one of the two tasks


def test_defaults() -> None:
    asked = request()
    assert asked.format == "json"
    assert asked.granularities == {"segment"}
    assert not asked.stream
    assert asked.job.temperature == 0.0
    assert asked.job.vad == VadOptions()
    assert not asked.job.words


@pytest.mark.parametrize(
    ("pairs", "vad"),
    [
        ([("vad_filter", "false")], None),
        ([("chunking_strategy", "auto")], VadOptions()),
        ([("chunking_strategy", '{"type":"auto"}')], VadOptions()),
        (
            [("chunking_strategy[type]", "server_vad")],
            VadOptions(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=200),
        ),
        (
            [
                ("chunking_strategy[type]", "server_vad"),
                ("chunking_strategy[threshold]", "0.7"),
                ("chunking_strategy[prefix_padding_ms]", "100"),
                ("chunking_strategy[silence_duration_ms]", "900"),
            ],
            VadOptions(threshold=0.7, prefix_padding_ms=100, silence_duration_ms=900),
        ),
        (
            [("chunking_strategy", '{"type":"server_vad","threshold":0.7}')],
            VadOptions(threshold=0.7, prefix_padding_ms=300, silence_duration_ms=200),
        ),
    ],
)
def test_chunking(pairs: list[tuple[str, str]], vad: VadOptions | None) -> None:
    assert request(*pairs).job.vad == vad


@pytest.mark.parametrize(
    ("form", "granularities", "words"),
    [
        ("json", (), False),
        ("srt", (), True),
        ("vtt", (), True),
        ("verbose_json", (), False),
        ("verbose_json", ("word",), True),
        ("verbose_json", ("segment",), False),
        ("verbose_json", ("word", "segment"), True),
    ],
)
def test_words_are_timed_only_when_they_are_needed(
    form: str, granularities: tuple[str, ...], words: bool
) -> None:
    pairs = [("timestamp_granularities[]", name) for name in granularities]
    assert request(("response_format", form), *pairs).job.words is words


def test_hotwords_from_all_their_fields() -> None:
    asked = request(("keywords[]", "Antiphon"), ("hotwords", "Ärzte, Kyrie,"))
    assert asked.job.hotwords == ("Antiphon", "Ärzte", "Kyrie")


def test_translation_ignores_what_it_has_not() -> None:
    asked = request(("language", "de"), ("include[]", "logprobs"), task="translate")
    assert asked.job.language is None
    assert not asked.job.logprobs


def test_languages_list() -> None:
    assert request(("languages[]", "de")).job.language == "de"
    assert request(("languages[]", "de"), ("languages[]", "en")).job.language is None


@pytest.mark.parametrize("text", ["en", "EN", "en-US", "en_us", "english", "English", " en "])
def test_ways_to_write_english(text: str) -> None:
    assert language_code(text) == "en"


@pytest.mark.parametrize("text", ["", "klingon", "xx", "en us", "\0"])
def test_no_language(text: str) -> None:
    assert language_code(text) is None


def test_names_are_the_models_own() -> None:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert set(NAMES) == set(_LANGUAGE_CODES)
    assert language_name("en") == "english"
