"""The events of a streamed transcription.

Law: the final text is the sum of the deltas that were sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.domain import Progress, SpokenSegment, SpokenText, Transcript, TranscriptEvent, WindowText
from app.wire.openai_models import transcription_model
from app.wire.transcripts import languages, logprobs, spoken_segment, token_usage
from engines.types import Segment


class TranscriptEvents:
    """Two verbs: `feed` what happens, then `flush` with the whole transcript."""

    def __init__(self, model: str, *, with_logprobs: bool, text_first: bool = False) -> None:
        """`model`: the name that the client sent. `text_first`: text leaves before its speaker is known."""
        self._model = model
        self._with_logprobs = with_logprobs
        self._sent: list[str] = []
        self._logprobs: list[dict[str, Any]] = []
        self._text_first = text_first
        self._spoken = 0

    def feed(self, event: TranscriptEvent) -> list[dict[str, Any]]:
        """What a client is told of one event of the transcription."""
        match event:
            case WindowText(segments):
                return self._window(segments)
            case SpokenText(spoken):
                return self._speakers(spoken)
            case Progress():
                return []

    def _window(self, segments: Sequence[Segment]) -> list[dict[str, Any]]:
        """One delta for each segment that says something."""
        events = []
        for segment in segments:
            delta = segment.text if self._sent else segment.text.lstrip()
            if not delta:
                continue
            self._sent.append(delta)
            events.append({"type": "transcript.text.delta", "delta": delta} | self._probabilities(segment))
        return events

    def _speakers(self, segments: Sequence[SpokenSegment]) -> list[dict[str, Any]]:
        """A delta, unless it has left before, and a whole segment for each; segments name the speaker."""
        events: list[dict[str, Any]] = []
        for segment in segments:
            if not segment.text:
                continue
            self._spoken += 1
            whole = spoken_segment(self._spoken, segment)
            if not self._text_first:
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
        if self._with_logprobs:
            event["logprobs"] = self._logprobs
        return event | {"usage": token_usage(transcript)}

    def _probabilities(self, segment: Segment) -> dict[str, Any]:
        if not self._with_logprobs:
            return {}
        entries = logprobs([segment]) or []
        self._logprobs += entries
        return {"logprobs": entries}
