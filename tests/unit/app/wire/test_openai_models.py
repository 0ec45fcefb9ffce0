"""The table has one row for each of OpenAI's names that the default settings serve, and no other row."""

from __future__ import annotations

from app import default_aliases
from app.wire.openai_models import LOCAL, SPEECH_MODELS, TRANSCRIPTION_MODELS, transcription_model


def test_every_name_that_is_served_by_default_has_its_row() -> None:
    assert set(TRANSCRIPTION_MODELS) == set(default_aliases.TRANSCRIPTION_NAMES)
    assert {name for name in default_aliases.SPEECH_NAMES if name.startswith(("tts-", "gpt-"))} == set(
        SPEECH_MODELS
    )


def test_voices_of_the_rows_exist() -> None:
    for row in SPEECH_MODELS.values():
        assert set(row.voices or ()) <= set(default_aliases.BUILTIN_VOICES)


def test_local_names_are_bound_by_nothing() -> None:
    assert transcription_model("my/own") is LOCAL
    assert LOCAL.usage == "duration"
