"""A transcript in each of OpenAI's formats.

Law: pure. An absent value has no key, never null; numbers are JSON numbers; text formats are not wrapped in
JSON.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import Any

from app.domain import SpokenSegment, Transcript, audio_tokens
from app.wire.cue_breaks import CueRules
from app.wire.json_text import dump
from app.wire.languages import language_name
from app.wire.openai_models import transcription_model
from app.wire.subtitles import make_cues, make_spoken_cues, to_srt, to_vtt
from engines.types import Segment, Token, Word

PUNCTUATION = '.,;:!?…"“”„«»()[]{}。，！？；：、「」『』'  # noqa: RUF001 - typographic marks are meant


def render(
    transcript: Transcript, form: str, model: str, granularities: Collection[str], cues: CueRules
) -> bytes:
    """The body of the answer. `model`: the name that the client sent."""
    if form == "text":
        text = transcript.text if transcript.spoken is None else spoken_text(transcript.spoken)
        return (text + "\n").encode()
    if form in ("srt", "vtt"):
        return _subtitles(transcript, form, cues).encode()
    if form == "diarized_json":
        body = diarized(transcript, model)
    else:
        body = verbose(transcript, granularities) if form == "verbose_json" else plain(transcript, model)
    return dump(body)


def _subtitles(transcript: Transcript, form: str, rules: CueRules) -> str:
    if transcript.spoken is None:
        cues = make_cues(transcript.segments, rules, transcript.duration)
    else:
        cues = make_spoken_cues(transcript.spoken, rules, transcript.duration, named=form == "srt")
    return to_srt(cues) if form == "srt" else to_vtt(cues)


def diarized(transcript: Transcript, model: str) -> dict[str, Any]:
    """The format `diarized_json`."""
    spoken = [segment for segment in transcript.spoken or () if segment.text]
    return {
        "task": "transcribe",
        "duration": round(transcript.duration, 3),
        "text": spoken_text(spoken),
        "segments": [spoken_segment(number, segment) for number, segment in enumerate(spoken, 1)],
        "usage": usage(transcript, model),
    }


def spoken_text(spoken: Sequence[SpokenSegment]) -> str:
    """The text with one line for each turn, which begins with the speaker."""
    turns = groupby((segment for segment in spoken if segment.text), key=lambda segment: segment.speaker)
    return "\n".join(f"{speaker}: {' '.join(s.text for s in turn)}" for speaker, turn in turns)


def spoken_segment(number: int, segment: SpokenSegment) -> dict[str, Any]:
    """A segment of `diarized_json`, which is an event of the stream too. `number`: from 1."""
    start = round(segment.start, 3)
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number:03}",
        "start": start,
        "end": max(round(segment.end, 3), round(start + 0.01, 3)),
        "text": segment.text,
        "speaker": segment.speaker,
    }


def plain(transcript: Transcript, model: str) -> dict[str, Any]:
    """The format `json`. For a translation it has the text only."""
    body: dict[str, Any] = {"text": transcript.text}
    if transcript.task == "translate":
        return body
    if transcription_model(model).tells_languages:
        body["languages"] = languages(transcript)
    if (entries := logprobs(transcript.segments)) is not None:
        body["logprobs"] = entries
    return body | {"usage": usage(transcript, model)}


def verbose(transcript: Transcript, granularities: Collection[str]) -> dict[str, Any]:
    """The format `verbose_json`."""
    translated = transcript.task == "translate"
    code = "en" if translated or transcript.language is None else transcript.language.code
    body: dict[str, Any] = {
        "task": transcript.task,
        "language": language_name(code),
        "duration": round(transcript.duration, 3),
        "text": transcript.text,
    }
    if "word" in granularities and not translated:
        body["words"] = [entry for word in transcript.words if (entry := _word(word))]
    if "segment" in granularities or translated:
        body["segments"] = [_segment(i, segment) for i, segment in enumerate(transcript.segments)]
    if not translated:
        body["usage"] = duration_usage(transcript)
    return body


def usage(transcript: Transcript, model: str) -> dict[str, Any]:
    """The usage, in tokens or in seconds. `model`: the name that the client sent."""
    tokens = transcription_model(model).usage == "tokens"
    return token_usage(transcript) if tokens else duration_usage(transcript)


def duration_usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration)}


def token_usage(transcript: Transcript) -> dict[str, Any]:
    audio = audio_tokens(transcript.duration)
    text, output = transcript.prompt_tokens, transcript.output_tokens
    return {
        "type": "tokens",
        "input_tokens": audio + text,
        "input_token_details": {"text_tokens": text, "audio_tokens": audio},
        "output_tokens": output,
        "total_tokens": audio + text + output,
    }


def languages(transcript: Transcript) -> list[dict[str, str]]:
    return [{"code": transcript.language.code}] if transcript.language else []


def logprobs(segments: Iterable[Segment]) -> list[dict[str, Any]] | None:
    """Every text token with its log-probability; None if the request did not ask for them."""
    tokens = [token for segment in segments for token in segment.tokens if token.data]
    if not tokens or tokens[0].logprob is None:
        return None
    return [_logprob(token) for token in tokens]


def _logprob(token: Token) -> dict[str, Any]:
    text = token.data.decode("utf-8", "replace")
    return {"token": text, "logprob": min(0.0, token.logprob or 0.0), "bytes": list(token.data)}


def _word(word: Word) -> dict[str, Any] | None:
    """The word without spaces and punctuation, as in OpenAI's answers; None if nothing is left."""
    text = word.text.strip().strip(PUNCTUATION).strip()
    if not text:
        return None
    return {"word": text, "start": round(word.start, 2), "end": round(word.end, 2)}


def _segment(index: int, segment: Segment) -> dict[str, Any]:
    start = round(segment.start, 2)
    return {
        "id": index,
        "seek": segment.seek,
        "start": start,
        "end": max(round(segment.end, 2), round(start + 0.01, 2)),
        "text": segment.text,
        "tokens": [token.id for token in segment.tokens],
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }
