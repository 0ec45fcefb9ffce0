"""The events of a streamed transcription.

Law: the final text is made of the deltas that were really sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.domain import SpokenSegment, Transcript
from app.wire.transcripts import languages, logprobs, spoken_segment, token_usage
from engines.types import Segment


class TranscriptEvents:
    """Two verbs: `feed` segments, then `flush` with the whole transcript."""

    def __init__(self, model: str, *, with_logprobs: bool) -> None:
        """`model`: the name that the client sent."""
        self._model = model
        self._with_logprobs = with_logprobs
        self._sent: list[str] = []
        self._logprobs: list[dict[str, Any]] = []
        self._spoken = 0

    def feed(self, segments: Sequence[Segment]) -> list[dict[str, Any]]:
        """One delta for each segment that says something."""
        events = []
        for segment in segments:
            delta = segment.text if self._sent else segment.text.lstrip()
            if not delta:
                continue
            self._sent.append(delta)
            events.append({"type": "transcript.text.delta", "delta": delta} | self._probabilities(segment))
        return events

    def feed_spoken(self, segments: Sequence[SpokenSegment]) -> list[dict[str, Any]]:
        """A delta and a whole segment for each; deltas do not name the speaker, segments do."""
        events: list[dict[str, Any]] = []
        for segment in segments:
            if not segment.text:
                continue
            self._spoken += 1
            whole = spoken_segment(self._spoken, segment)
            delta = f" {segment.text}" if self._sent else segment.text
            self._sent.append(delta)
            events.append({"type": "transcript.text.delta", "delta": delta, "segment_id": whole["id"]})
            events.append(whole)
        return events

    def flush(self, transcript: Transcript) -> dict[str, Any]:
        """The one final event."""
        event: dict[str, Any] = {"type": "transcript.text.done", "text": "".join(self._sent)}
        if self._model == "gpt-transcribe":
            event["languages"] = languages(transcript)
        if self._with_logprobs:
            event["logprobs"] = self._logprobs
        return event | {"usage": token_usage(transcript)}

    def _probabilities(self, segment: Segment) -> dict[str, Any]:
        if not self._with_logprobs:
            return {}
        found = logprobs([segment]) or []
        self._logprobs += found
        return {"logprobs": found}
