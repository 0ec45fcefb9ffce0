"""Requests: form fields -> what the services are asked to do.

Law: pure; every value is checked here, with the field's name in the error, before any audio is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from app.domain import TranscriptionJob, VadOptions
from app.errors import InvalidValue, ModelNotFound, UnsupportedValue
from app.wire.cue_breaks import CueRules
from app.wire.fields import Fields, bounded_number, invalid_choice
from app.wire.languages import language_code
from app.wire.speakers import speakers_wanted
from app.wire.strict import check_transcription, check_translation
from app.wire.texts import clean, is_id
from engines.types import Task

Format = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
FORMATS: tuple[Format, ...] = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
TRANSLATION_FORMATS: tuple[Format, ...] = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")
VAD_KEYS = {"type", "prefix_padding_ms", "silence_duration_ms", "threshold"}
HOTWORDS = 200
"""Hot words in one request; the model uses about a hundred tokens of them."""


@dataclass(frozen=True, slots=True)
class RequestRules:
    """What the settings say about requests."""

    prompt_characters: int
    vad: bool
    """Whether silence is left out where the request does not say."""
    cues: CueRules
    """The shape of subtitles where the request does not say."""
    strict: bool = False
    """Whether what OpenAI refuses is refused."""


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """One call of transcriptions or translations."""

    job: TranscriptionJob
    format: Format
    granularities: frozenset[str]
    stream: bool
    cues: CueRules


def transcription_request(fields: Fields, rules: RequestRules, task: Task) -> TranscriptionRequest:
    """Raises `ApiError` that names the field."""
    formats = FORMATS if task == "transcribe" else TRANSLATION_FORMATS
    model = fields.required("model")
    if not is_id(model):
        raise ModelNotFound(model)
    if rules.strict:
        check_transcription(fields) if task == "transcribe" else check_translation(fields)
    form: Format = fields.choice("response_format", formats, "json")  # type: ignore[assignment]  # a checked choice
    granularities = fields.choices("timestamp_granularities", GRANULARITIES) or frozenset({"segment"})
    include = fields.choices("include", ("logprobs",))
    stream = fields.flag("stream", default=False)
    speakers = speakers_wanted(fields, form) if task == "transcribe" else None
    if speakers and stream and "word" in granularities:
        speakers = replace(speakers, text_first=True)
    subtitles = form in ("srt", "vtt")
    job = TranscriptionJob(
        model=model,
        task=task,
        language=_language(fields) if task == "transcribe" else None,
        prompt=_prompt(fields, rules.prompt_characters),
        hotwords=_hotwords(fields),
        temperature=fields.number("temperature", 0, 1) or 0.0,
        beam_size=fields.integer("beam_size", 1, 20),
        vad=_vad(fields, default=rules.vad),
        words=subtitles or (form == "verbose_json" and "word" in granularities and task == "transcribe"),
        logprobs="logprobs" in include and task == "transcribe",
        diarize=speakers,
    )
    return TranscriptionRequest(job, form, granularities, stream, _cues(fields, rules.cues))


def _language(fields: Fields) -> str | None:
    """`language`, or the only one of `languages[]`; several are left to detection."""
    given = fields.text("language").strip()
    several = tuple(_code("languages", text) for text in fields.texts("languages"))
    if given:
        return _code("language", given)
    return several[0] if len(several) == 1 else None


def _code(name: str, text: str) -> str:
    code = language_code(text)
    if code is None:
        raise InvalidValue(
            f"Invalid language '{text[:50]}'. Language parameter must be specified in ISO-639-1 format.",
            param=name,
        )
    return code


def _prompt(fields: Fields, limit: int) -> str:
    prompt = clean(fields.text("prompt"))
    if len(prompt) > limit:
        raise InvalidValue(f"The prompt has more than {limit} characters.", param="prompt")
    return prompt


def _hotwords(fields: Fields) -> tuple[str, ...]:
    """OpenAI's `keywords[]` and the field's usual name, `hotwords` (a list, or one text with commas)."""
    words = [*fields.texts("keywords"), *fields.texts("hotwords")]
    parts = [clean(part).strip() for word in words for part in word.split(",")]
    return tuple(part for part in parts if part)[:HOTWORDS]


def _vad(fields: Fields, *, default: bool) -> VadOptions | None:
    """How silence is treated: `chunking_strategy` asks for it, `vad_filter` decides."""
    strategy = fields.object("chunking_strategy")
    chosen = _strategy(strategy) if strategy is not None else None
    wanted = fields.flag("vad_filter", default=default or chosen is not None)
    return (chosen or VadOptions()) if wanted else None


def _strategy(value: Mapping[str, Any] | str) -> VadOptions:
    name = "chunking_strategy"
    if isinstance(value, str):
        if value not in ("auto", "server_vad"):
            raise invalid_choice(name, value, ("auto", "server_vad"))
        return VadOptions()
    if value.get("type") == "auto":
        return VadOptions()
    if value.get("type") != "server_vad":
        raise invalid_choice(f"{name}[type]", _said(value.get("type")), ("server_vad",))
    if unknown := set(value) - VAD_KEYS:
        raise UnsupportedValue(f"Unknown key in '{name}': '{min(unknown)[:50]}'.", param=name)
    numbers = {
        key: bounded_number(f"{name}[{key}]", value[key], 0, high)
        for key, high in (("threshold", 1), ("prefix_padding_ms", 5000), ("silence_duration_ms", 10_000))
        if key in value
    }
    return VadOptions(
        threshold=max(numbers.get("threshold", 0.5), 0.01),
        prefix_padding_ms=int(numbers.get("prefix_padding_ms", 300)),
        silence_duration_ms=int(numbers.get("silence_duration_ms", 200)),
    )


def _said(value: Any) -> str:
    """What an error quotes of a value that should be a text."""
    return value if isinstance(value, str) else type(value).__name__


def _cues(fields: Fields, default: CueRules) -> CueRules:
    return CueRules(
        width=fields.integer("max_line_width", 10, 200) or default.width,
        lines=fields.integer("max_line_count", 1, 5) or default.lines,
        longest=fields.number("max_cue_seconds", 1, 60) or default.longest,
        shortest=default.shortest,
        speed=default.speed,
    )
