"""The events of a streamed transcription.

Law: the final text is the sum of the deltas that were sent.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.domain import Progress, SpokenSegment, SpokenText, Transcript, TranscriptEvent, WindowText
from app.wire.openai_models import transcription_model
from app.wire.transcripts import languages, logprobs, spoken_segment, token_usage
from engines.types import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class EventOptions:
    """The events that a client asked for."""

    logprobs: bool = False
    text_first: bool = False
    """Whether text is sent before its speaker is known."""
    times: bool = False
    """Whether deltas have start, end and words."""
    progress: bool = False


class TranscriptEvents:
    """Turns events of a transcription into events of the answer: `feed` each, then `flush` with the
    transcript.
    """

    def __init__(self, model: str, options: EventOptions) -> None:
        """`model`: the name that the client sent."""
        self._model = model
        self._options = options
        self._sent: list[str] = []
        self._logprobs: list[dict[str, Any]] = []
        self._spoken = 0

    def feed(self, event: TranscriptEvent) -> list[dict[str, Any]]:
        """The events of the answer for one event of the transcription."""
        match event:
            case WindowText(segments):
                return self._window(segments)
            case SpokenText(spoken):
                return self._speakers(spoken)
            case Progress():
                return []

    def _window(self, segments: Sequence[Segment]) -> list[dict[str, Any]]:
        """One delta for each segment that has text."""
        events = []
        for segment in segments:
            delta = segment.text if self._sent else segment.text.lstrip()
            if not delta:
                continue
            self._sent.append(delta)
            event = {"type": "transcript.text.delta", "delta": delta}
            events.append(event | self._probabilities(segment) | self._times(segment))
        return events

    def _speakers(self, segments: Sequence[SpokenSegment]) -> list[dict[str, Any]]:
        """For each segment a delta, unless its text was sent before, and a segment event that names the
        speaker.
        """
        events: list[dict[str, Any]] = []
        for segment in segments:
            if not segment.text:
                continue
            self._spoken += 1
            whole = spoken_segment(self._spoken, segment)
            if not self._options.text_first:
                delta = f" {segment.text}" if self._sent else segment.text
                self._sent.append(delta)
                events.append({"type": "transcript.text.delta", "delta": delta, "segment_id": whole["id"]})
            events.append(whole)
        return events

    def flush(self, transcript: Transcript) -> dict[str, Any]:
        """The one final event."""
        event: dict[str, Any] = {"type": "transcript.text.done", "text": "".join(self._sent)}
        if transcription_model(self._model).tells_languages:
            event["languages"] = languages(transcript)
        if self._options.logprobs:
            event["logprobs"] = self._logprobs
        return event | {"usage": token_usage(transcript)}

    def _probabilities(self, segment: Segment) -> dict[str, Any]:
        if not self._options.logprobs:
            return {}
        entries = logprobs([segment]) or []
        self._logprobs += entries
        return {"logprobs": entries}

    def _times(self, segment: Segment) -> dict[str, Any]:
        if not self._options.times:
            return {}
        words = [
            {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}
            for word in segment.words or ()
        ]
        return {"start": round(segment.start, 3), "end": round(segment.end, 3), "words": words}


def progress_event(seconds: float, expected: float | None, queued: float) -> dict[str, Any]:
    """An extension. `seconds`: transcribed of this audio, `expected`: of all of it, if the file says so,
    `queued`: of audio of all requests that wait or are worked on.
    """
    event = {"type": "antiphon.progress", "seconds": round(seconds, 1), "queued": round(queued, 1)}
    return event if expected is None else event | {"expected": round(expected, 1)}


def peaks_event(start: float, rate: int, values: bytes) -> dict[str, Any]:
    """An extension: one byte for each peak, base64."""
    data = base64.b64encode(values).decode()
    return {"type": "antiphon.peaks", "start": start, "rate": rate, "data": data}
