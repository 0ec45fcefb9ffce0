"""Refusals of OpenAI's API for single models, with its messages. The setting `compat.strict` turns them on.

Law: pure; the facts are the rows of `openai_models`. No refusal applies to the names of local models.
"""

from __future__ import annotations

from app.errors import InvalidRequest, InvalidValue, UnsupportedValue
from app.wire.form_notations import Fields
from app.wire.openai_models import SPEECH_MODELS, TRANSCRIPTION_MODELS, TranscriptionModel
from app.wire.request_fields import CHUNKING, GRANULARITIES, INCLUDE, KEYWORDS, LANGUAGES, MODEL, PROMPT
from app.wire.request_fields import RESPONSE_FORMAT as FORM


def check_transcription(fields: Fields) -> None:
    """Raises `InvalidRequest` for a combination that OpenAI refuses."""
    model = TRANSCRIPTION_MODELS.get(fields.text(MODEL.name))
    if model is None:
        return
    form = fields.text(FORM.name, str(FORM.default))
    _check_format(model, form)
    if fields.texts(GRANULARITIES.name) and form != "verbose_json":
        raise UnsupportedValue(
            f"timestamp_granularities is only supported with response_format 'verbose_json', not '{form}'.",
            param=GRANULARITIES.name,
        )
    if fields.texts(INCLUDE.name) and form not in model.logprobs:
        raise UnsupportedValue(
            f"include 'logprobs' is not supported with model '{model.name}' and response_format '{form}'.",
            param=INCLUDE.name,
        )
    for name in (LANGUAGES.name, KEYWORDS.name):
        if fields.texts(name) and not model.hints:
            raise UnsupportedValue(f"{name} is not supported with model '{model.name}'.", param=name)
    if fields.text(PROMPT.name) and not model.prompt:
        raise UnsupportedValue("Prompt is not supported for diarization models", param=PROMPT.name)
    if model.needs_chunking and fields.object(CHUNKING.name) is None:
        raise InvalidValue("chunking_strategy is required for diarization models", param=CHUNKING.name)


def check_translation(fields: Fields) -> None:
    """Raises `InvalidRequest`: OpenAI translates with one model only."""
    model = TRANSCRIPTION_MODELS.get(fields.text(MODEL.name))
    if model is not None and not model.translates:
        raise InvalidRequest("invalid model ID", param=MODEL.name)


def _check_format(model: TranscriptionModel, form: str) -> None:
    if form in model.formats:
        return
    known = " or ".join(f"'{name}'" for name in model.formats)
    raise UnsupportedValue(
        f"response_format '{form}' is not compatible with model '{model.name}'. Use {known} instead.",
        param=FORM.name,
    )


def check_speech(name: str, voice: str, instructions: str, *, events: bool) -> None:
    """Raises `InvalidRequest` for a combination that OpenAI refuses."""
    model = SPEECH_MODELS.get(name)
    if model is None:
        return
    if model.voices is not None and voice not in model.voices:
        raise InvalidValue(f"The voice '{voice[:100]}' is not supported with model '{name}'.", param="voice")
    if instructions and not model.instructions:
        raise UnsupportedValue(f"instructions is not supported with model '{name}'.", param="instructions")
    if events and not model.events:
        raise UnsupportedValue(
            f"stream_format 'sse' is not supported with model '{name}'.", param="stream_format"
        )
