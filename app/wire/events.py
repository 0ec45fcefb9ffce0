"""The events of a streamed transcription.

Law: the final text is made of the deltas that were really sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.domain import Transcript
from app.wire.transcripts import languages, logprobs, token_usage
from engines.types import Segment


class TranscriptEvents:
    """Two verbs: `feed` segments, then `flush` with the whole transcript."""

    def __init__(self, model: str, *, with_logprobs: bool) -> None:
        """`model`: the name that the client sent."""
        self._model = model
        self._with_logprobs = with_logprobs
        self._sent: list[str] = []
        self._logprobs: list[dict[str, Any]] = []

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
