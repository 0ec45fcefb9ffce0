"""Reads and writes the settings of a live session, in the JSON of OpenAI's current API and of its beta.

Law: pure. A change is all or nothing; errors name the field's path, such as `session.audio.input.format`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from app.domain.live import (
    Delay,
    Eagerness,
    LiveSettings,
    NoiseReduction,
    SemanticTurns,
    ServerTurns,
    SoundFormat,
)
from app.errors import InvalidRequest, InvalidValue
from app.wire.checked_values import bounded_integer, bounded_number
from app.wire.clean_text import clean, is_id
from app.wire.languages import language_code

LOGPROBS = "item.input_audio_transcription.logprobs"
PCM_RATES = (8000, 16_000, 24_000, 48_000)
LIVE_MODELS = ("gpt-live-transcribe", "gpt-realtime-whisper")
"""OpenAI's names that have no other endpoint; any transcription model answers to them."""
PROMPT_CHARACTERS = 10_000
MOST_KEYWORDS = 100
MOST_LANGUAGES = 20
_BETA_FORMATS = {
    "pcm16": SoundFormat(),
    "g711_ulaw": SoundFormat("pcmu", 8000),
    "g711_alaw": SoundFormat("pcma", 8000),
}
_GA = {
    name: f"audio.input.{name}" for name in ("format", "transcription", "noise_reduction", "turn_detection")
}
_BETA = {
    "format": "input_audio_format",
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
    "turn_detection": "turn_detection",
}


def updated(settings: LiveSettings, session: Any, default: LiveSettings, *, beta: bool) -> LiveSettings:
    """The settings after a client's change. `default`: what an explicit null goes back to.

    Raises `InvalidRequest`.
    """
    session = _object("session", session)
    if not beta and session.get("type") != "transcription":
        raise InvalidRequest(
            "This server has transcription sessions only: `session.type` must be 'transcription'.",
            param="session.type",
            code="invalid_parameter",
        )
    given = session if beta else _input(session)
    names = _BETA if beta else _GA
    changed = settings
    for name, read in _READERS.items():
        key = names[name].rpartition(".")[2]
        if key in given:
            changed = read(f"session.{names[name]}", given[key], changed, default)
    if session.get("include") is not None:
        changed = replace(changed, logprobs=_include(session["include"]))
    return changed


def session_object(settings: LiveSettings, *, beta: bool) -> dict[str, Any]:
    """All settings of a session, without its id and the time of its end."""
    include = [LOGPROBS] if settings.logprobs else []
    transcription, noise, turns = _transcription(settings), _noise(settings.noise), _turns(settings.turns)
    if beta:
        return {
            "object": "realtime.transcription_session",
            "input_audio_format": next(
                (name for name, form in _BETA_FORMATS.items() if form == settings.format), "pcm16"
            ),
            "input_audio_transcription": transcription,
            "input_audio_noise_reduction": noise,
            "turn_detection": turns,
            "include": include,
        }
    kind = f"audio/{settings.format.encoding}"
    form = {"type": kind, "rate": settings.format.rate} if kind == "audio/pcm" else {"type": kind}
    heard = {
        "format": form,
        "transcription": transcription,
        "noise_reduction": noise,
        "turn_detection": turns,
    }
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "audio": {"input": heard},
        "include": include,
    }


def _transcription(settings: LiveSettings) -> dict[str, Any]:
    optional = {
        "language": settings.language,
        "languages": list(settings.languages),
        "prompt": settings.prompt,
        "keywords": list(settings.keywords),
        "delay": settings.delay,
    }
    return {"model": settings.model} | {name: value for name, value in optional.items() if value}


def _noise(noise: NoiseReduction | None) -> dict[str, Any] | None:
    if noise is None:
        return None
    return {"type": noise.kind} | ({} if noise.strength is None else {"strength": noise.strength})


def _turns(turns: ServerTurns | SemanticTurns | None) -> dict[str, Any] | None:
    if turns is None:
        return None
    if isinstance(turns, SemanticTurns):
        return {"type": "semantic_vad", "eagerness": turns.eagerness}
    return {
        "type": "server_vad",
        "threshold": turns.threshold,
        "prefix_padding_ms": turns.prefix_padding_ms,
        "silence_duration_ms": turns.silence_duration_ms,
    }


def _input(session: Mapping[str, Any]) -> Mapping[str, Any]:
    audio = session.get("audio")
    heard = _object("session.audio", audio).get("input") if audio is not None else None
    return _object("session.audio.input", heard) if heard is not None else {}


def _read_format(path: str, value: Any, settings: LiveSettings, default: LiveSettings) -> LiveSettings:
    if value is None:
        return replace(settings, format=default.format)
    if isinstance(value, str):
        return replace(settings, format=_BETA_FORMATS[_choice(path, value, tuple(_BETA_FORMATS))])
    form = _object(path, value)
    kind = _choice(f"{path}.type", form.get("type"), ("audio/pcm", "audio/pcmu", "audio/pcma"))
    rate = form.get("rate", 24_000 if kind == "audio/pcm" else 8000)
    if kind != "audio/pcm":
        return replace(settings, format=SoundFormat("pcmu" if kind == "audio/pcmu" else "pcma", 8000))
    if isinstance(rate, bool) or rate not in PCM_RATES:
        raise InvalidValue(
            f"Invalid value for '{path}.rate': expected one of {', '.join(map(str, PCM_RATES))}.",
            param=f"{path}.rate",
        )
    return replace(settings, format=SoundFormat("pcm", int(rate)))


def _read_transcription(path: str, value: Any, settings: LiveSettings, default: LiveSettings) -> LiveSettings:
    if value is None:
        return replace(settings, model=default.model)
    given = _object(path, value)
    changed = settings
    if "model" in given:
        model = _text(f"{path}.model", given["model"])
        if not is_id(model):
            raise unfit_model(model, f"{path}.model")
        changed = replace(changed, model=model)
        if model in LIVE_MODELS and settings.model not in LIVE_MODELS:
            changed = replace(changed, turns=None)
    if "language" in given:
        changed = replace(changed, language=_language(f"{path}.language", given["language"]))
    if "languages" in given:
        codes = _texts(f"{path}.languages", given["languages"], MOST_LANGUAGES)
        checked = tuple(code for text in codes if (code := _language(f"{path}.languages", text)))
        changed = replace(changed, languages=checked)
    if "prompt" in given:
        changed = replace(changed, prompt=_text(f"{path}.prompt", given["prompt"] or ""))
    if "keywords" in given:
        changed = replace(changed, keywords=_texts(f"{path}.keywords", given["keywords"], MOST_KEYWORDS))
    if given.get("delay") is not None:
        delay: Any = _choice(f"{path}.delay", given["delay"], get_args(Delay))
        changed = replace(changed, delay=delay)
    return changed


def _read_noise(path: str, value: Any, settings: LiveSettings, default: LiveSettings) -> LiveSettings:
    if value is None:
        return replace(settings, noise=None)
    given = _object(path, value)
    kind: Any = _choice(f"{path}.type", given.get("type"), ("near_field", "far_field"))
    strength = given.get("strength")
    number = None if strength is None else _number(f"{path}.strength", strength, 0, 1)
    return replace(settings, noise=NoiseReduction(kind, number))


def _read_turns(path: str, value: Any, settings: LiveSettings, default: LiveSettings) -> LiveSettings:
    if value is None:
        return replace(settings, turns=None)
    given = _object(path, value)
    kind = _choice(f"{path}.type", given.get("type", "server_vad"), ("server_vad", "semantic_vad"))
    if kind == "semantic_vad":
        eagerness: Any = _choice(f"{path}.eagerness", given.get("eagerness") or "auto", get_args(Eagerness))
        return replace(settings, turns=SemanticTurns(eagerness))
    before = settings.turns if isinstance(settings.turns, ServerTurns) else ServerTurns()
    padding, silence = f"{path}.prefix_padding_ms", f"{path}.silence_duration_ms"
    turns = ServerTurns(
        _number(f"{path}.threshold", _or(given, "threshold", before.threshold), 0, 1),
        _whole(padding, _or(given, "prefix_padding_ms", before.prefix_padding_ms), 5000),
        _whole(silence, _or(given, "silence_duration_ms", before.silence_duration_ms), 60_000),
    )
    return replace(settings, turns=turns)


_READERS = {
    "format": _read_format,
    "transcription": _read_transcription,
    "noise_reduction": _read_noise,
    "turn_detection": _read_turns,
}


def unfit_model(name: str, param: str) -> InvalidRequest:
    """The error for a model that does not exist or does not transcribe."""
    message = f'Model "{name[:200]}" is not supported in transcription mode.'
    return InvalidRequest(message, param=param, code="invalid_model")


def _include(value: Any) -> bool:
    texts = _texts("session.include", value, 10)
    for text in texts:
        _choice("session.include", text, (LOGPROBS,))
    return bool(texts)


def _or(given: Mapping[str, Any], name: str, default: float) -> Any:
    value = given.get(name)
    return default if value is None else value


def _object(path: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidValue(f"Invalid value for '{path}': expected an object.", param=path)
    return value


def _choice(path: str, value: Any, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        said = f"'{value[:100]}'" if isinstance(value, str) else type(value).__name__
        known = ", ".join(f"'{choice}'" for choice in choices)
        raise InvalidValue(f"Invalid value: {said}. Supported values are: {known}.", param=path)
    return value


def _number(path: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"Invalid value for '{path}': expected a number.", param=path)
    return bounded_number(path, value, low, high)


def _whole(path: str, value: Any, high: int) -> int:
    _number(path, value, 0, high)
    return bounded_integer(path, value, 0, high)


def _text(path: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"Invalid value for '{path}': expected a string.", param=path)
    if len(value) > PROMPT_CHARACTERS:
        raise InvalidValue(f"'{path}' has more than {PROMPT_CHARACTERS} characters.", param=path)
    return clean(value)


def _texts(path: str, value: Any, most: int) -> tuple[str, ...]:
    value = [] if value is None else value
    if not isinstance(value, list) or len(value) > most:
        raise InvalidValue(f"Invalid value for '{path}': expected at most {most} strings.", param=path)
    return tuple(_text(path, text) for text in value)


def _language(path: str, value: Any) -> str | None:
    text = _text(path, value or "")
    code = language_code(text) if text else None
    if text and code is None:
        raise InvalidValue(
            f"Invalid language '{text[:50]}'. Language parameter must be specified in ISO-639-1 format.",
            param=path,
        )
    return code
