"""Every kind of answer against OpenAI's own schema (tests/data/openai) and against ours in /openapi.json."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from app import errors
from app.domain import (
    CustomVoice,
    ModelListing,
    SpokenSegment,
    SpokenText,
    Transcript,
    VoiceConsent,
    WindowText,
)
from app.wire import model_answers, speech, voice_answers
from app.wire.answer_schemas import SCHEMAS
from app.wire.cue_breaks import CueRules
from app.wire.transcription_events import EventOptions, TranscriptEvents
from app.wire.transcripts import render
from engines.types import LanguageGuess
from tests.conftest import ROOT
from tests.support.sample_transcripts import SILENCE, SPEECH, TRANSLATION

OFFICIAL = yaml.safe_load((ROOT / "tests/data/openai/audio.yaml").read_text())["components"]
BOTH = ("word", "segment")
VERBOSE, DIARIZED = "CreateTranscriptionResponseVerboseJson", "CreateTranscriptionResponseDiarizedJson"
WORDS = SPEECH.segments[0].words or ()
SPOKEN = Transcript(
    "transcribe",
    LanguageGuess("en", 0.9),
    14.3,
    SPEECH.segments,
    spoken=(SpokenSegment(0.0, 2.0, "A", WORDS), SpokenSegment(2.5, 4.0, "Anna", WORDS)),
)
VOICE = CustomVoice(
    id="voice_1", project="p", name="n", consent="cons_1", language="en-US", cloner="kokoro-match",
    engine="kokoro", model="kokoro-82m", nearest="af_heart", similarity=0.91, created=1,
)  # fmt: skip
CONSENT = VoiceConsent(id="cons_1", project="p", name="n", language="en-US", created=1)


def body(transcript: Transcript, form: str, model: str, granularities: tuple[str, ...] = ("segment",)) -> Any:
    return json.loads(render(transcript, form, model, granularities, CueRules()))


def events(transcript: Transcript, model: str, *, with_logprobs: bool = False) -> list[dict[str, Any]]:
    told = TranscriptEvents(model, EventOptions(logprobs=with_logprobs))
    if transcript.spoken:
        return [*told.feed(SpokenText(transcript.spoken)), told.flush(transcript)]
    return [*told.feed(WindowText(transcript.segments)), told.flush(transcript)]


ANSWERS: list[tuple[str, str, Any]] = [
    *(
        ("CreateTranscriptionResponseJson", "Transcription", body(transcript, "json", model))
        for transcript in (SPEECH, SILENCE)
        for model in ("whisper-1", "gpt-4o-transcribe", "gpt-transcribe", "my/own")
    ),
    *(
        (
            "CreateTranscriptionResponseVerboseJson",
            "VerboseTranscription",
            body(transcript, "verbose_json", "whisper-1", kinds),
        )
        for transcript in (SPEECH, SILENCE)
        for kinds in (("word",), ("segment",), BOTH)
    ),
    ("CreateTranslationResponseJson", "Transcription", body(TRANSLATION, "json", "whisper-1")),
    (
        "CreateTranslationResponseVerboseJson",
        "VerboseTranscription",
        body(TRANSLATION, "verbose_json", "whisper-1", BOTH),
    ),
    *(
        (
            "CreateTranscriptionResponseDiarizedJson",
            "DiarizedTranscription",
            body(SPOKEN, "diarized_json", model),
        )
        for model in ("gpt-4o-transcribe-diarize", "gpt-4o-transcribe", "my/own")
    ),
    *(
        ("CreateTranscriptionResponseStreamEvent", "", event)
        for transcript, model, with_logprobs in (
            (SPEECH, "gpt-4o-transcribe", True),
            (SPEECH, "gpt-transcribe", False),
            (SILENCE, "whisper-1", False),
            (SPOKEN, "gpt-4o-transcribe-diarize", False),
        )
        for event in events(transcript, model, with_logprobs=with_logprobs)
    ),
    ("CreateSpeechResponseStreamEvent", "SpeechDelta", speech.delta(b"sound")),
    ("CreateSpeechResponseStreamEvent", "SpeechDone", speech.done(3, 40)),
    # The newest official SDKs require `type`, which OpenAI's schema here does not have yet.
    (
        "VoiceResource",
        "",
        {key: value for key, value in voice_answers.custom_voice_object(VOICE).items() if key != "type"},
    ),
    ("", "Voice", voice_answers.custom_voice_object(VOICE)),
    ("", "Voice", voice_answers.custom_voice_details(VOICE)),
    ("", "VoiceList", voice_answers.voice_page([voice_answers.custom_voice_details(VOICE)], None, None)),
    ("", "DeletedVoice", voice_answers.deleted_voice("voice_1")),
    ("VoiceConsentResource", "VoiceConsent", voice_answers.consent_object(CONSENT)),
    ("VoiceConsentListResource", "VoiceConsentList", voice_answers.consent_page([CONSENT], more=True)),
    ("VoiceConsentListResource", "VoiceConsentList", voice_answers.consent_page([], more=False)),
    ("VoiceConsentDeletedResource", "DeletedVoiceConsent", voice_answers.deleted_consent("cons_1")),
    ("Model", "Model", model_answers.model_object(ModelListing("whisper-1", 1, "antiphon"), "idle")),
    (
        "ListModelsResponse",
        "ModelList",
        model_answers.model_list([(ModelListing("whisper-1", 1, "antiphon"), None)]),
    ),
]
OURS = {
    "transcript.text.delta": "TranscriptDelta",
    "transcript.text.segment": "SpeakerSegment",
    "transcript.text.done": "TranscriptDone",
}


def check(name: str, components: dict[str, Any], answer: Any) -> None:
    assert name in components["schemas"]
    schema = {"$ref": f"#/components/schemas/{name}", "components": components}
    Draft202012Validator(schema).validate(answer)


@pytest.mark.parametrize(("official", "ours", "answer"), ANSWERS, ids=lambda value: str(value)[:40])
def test_answers(official: str, ours: str, answer: Any) -> None:
    if official:
        check(official, OFFICIAL, answer)
    if ours or "type" in answer:
        check(ours or OURS[answer["type"]], {"schemas": SCHEMAS}, answer)


def test_every_kind_of_answer_is_checked() -> None:
    """Every schema of the official document that describes an answer is checked by a test of this file."""
    sent = {name for name in OFFICIAL["schemas"] if "Response" in name or name.startswith(("Voice", "List"))}
    other = {
        "VoiceIdsOrCustomVoice",
        "VoiceIdsShared",
        "ErrorResponse",
        "AudioResponseFormat",
        "DeleteModelResponse",
    }
    assert sent - other == {official for official, _, _ in ANSWERS if official} - {"Model"}


def test_the_checks_can_fail() -> None:
    with pytest.raises(Exception, match="is a required property"):
        check("VoiceConsentResource", OFFICIAL, {"id": "cons_1"})


def test_every_error_is_the_envelope() -> None:
    """Every class of error gives the envelope of the official schema. Classes whose constructor takes no
    message get the arguments that they need.
    """
    made = 0
    for kind in vars(errors).values():
        if not (inspect.isclass(kind) and issubclass(kind, errors.ApiError)):
            continue
        needed = [p for p in list(inspect.signature(kind).parameters.values()) if p.default is p.empty]
        values = {"str": "x", "int": 3, "float": 3.0, "float | None": 3.0}
        given: list[Any] = [values[str(p.annotation)] for p in needed if p.kind is p.POSITIONAL_OR_KEYWORD]
        error = kind(*given)
        for schemas, name in ((OFFICIAL, "ErrorResponse"), ({"schemas": SCHEMAS}, "Error")):
            check(name, schemas, error.envelope())
        made += 1
    assert made > 20
