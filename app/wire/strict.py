"""What OpenAI refuses for single models, in its own words: asked for by `compat.strict`.

Law: pure. Names of local models are bound by none of this.
"""

from __future__ import annotations

from app.errors import InvalidRequest, InvalidValue, UnsupportedValue
from app.wire.fields import Fields

GPT = ("gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-mini-transcribe-2025-12-15")
DIARIZE = "gpt-4o-transcribe-diarize"
FORMATS: dict[str, tuple[str, ...]] = {
    "whisper-1": ("json", "text", "srt", "verbose_json", "vtt"),
    DIARIZE: ("json", "text", "diarized_json"),
    "gpt-transcribe": ("json", "text"),
    **dict.fromkeys(GPT, ("json", "text")),
}
"""Formats of each of OpenAI's models."""
FIRST_VOICES = ("alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer")
"""Voices of tts-1 and tts-1-hd."""


def check_transcription(fields: Fields) -> None:
    """Raises `InvalidRequest` for a combination that OpenAI refuses."""
    model = fields.text("model")
    if model not in FORMATS:
        return
    form = fields.text("response_format", "json")
    _check_format(model, form)
    if fields.texts("timestamp_granularities") and form != "verbose_json":
        raise UnsupportedValue(
            f"timestamp_granularities is only supported with response_format 'verbose_json', not '{form}'.",
            param="timestamp_granularities",
        )
    if fields.texts("include") and (model not in GPT or form != "json"):
        raise UnsupportedValue(
            f"include 'logprobs' is not supported with model '{model}' and response_format '{form}'.",
            param="include",
        )
    for name in ("languages", "keywords"):
        if fields.texts(name) and model != "gpt-transcribe":
            raise UnsupportedValue(f"{name} is not supported with model '{model}'.", param=name)
    if model == DIARIZE:
        _check_diarize(fields)


def check_translation(fields: Fields) -> None:
    """Raises `InvalidRequest`: OpenAI translates with one model only."""
    model = fields.text("model")
    if model in FORMATS and model != "whisper-1":
        raise InvalidRequest("invalid model ID", param="model")


def _check_format(model: str, form: str) -> None:
    if form in FORMATS[model]:
        return
    known = " or ".join(f"'{name}'" for name in FORMATS[model])
    raise UnsupportedValue(
        f"response_format '{form}' is not compatible with model '{model}'. Use {known} instead.",
        param="response_format",
    )


def _check_diarize(fields: Fields) -> None:
    if fields.text("prompt"):
        raise UnsupportedValue("Prompt is not supported for diarization models", param="prompt")
    if fields.object("chunking_strategy") is None:
        raise InvalidValue("chunking_strategy is required for diarization models", param="chunking_strategy")


def check_speech(model: str, voice: str, instructions: str, *, events: bool) -> None:
    """Raises `InvalidRequest` for a combination that OpenAI refuses."""
    if model not in ("tts-1", "tts-1-hd"):
        return
    if voice not in FIRST_VOICES:
        raise InvalidValue(f"The voice '{voice[:100]}' is not supported with model '{model}'.", param="voice")
    if instructions:
        raise UnsupportedValue(f"instructions is not supported with model '{model}'.", param="instructions")
    if events:
        raise UnsupportedValue(
            f"stream_format 'sse' is not supported with model '{model}'.", param="stream_format"
        )
