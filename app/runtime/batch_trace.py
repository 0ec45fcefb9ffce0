"""The trace spans of a batch: how long each of its rows waited, and what the engine did for all of them.

Law: says what happened; decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.runtime.queue import Entry
from app.tracing import Facts, part
from engines.work import Speak, Transcribe

if TYPE_CHECKING:
    from opentelemetry.trace import Span

WORK_OPERATIONS = {Transcribe: "speech_to_text", Speak: "text_to_speech"}
"""The attribute `gen_ai.operation.name` for each type of work; other types get none."""


def trace_batch(
    model: str, batch: Sequence[Entry[object]], began: float, failure: Exception | None = None
) -> None:
    """Records the spans `queue` and `work` of each traced row. The first row's `work` has the span `engine`,
    which is linked to the requests of all rows; the `work` of the others is linked to that span.
    """
    rows = [(entry, entry.permit.span) for entry in batch if entry.permit.span]
    if not rows:
        return
    ended = time.monotonic()
    kind = type(batch[0].work)
    facts: Facts = {
        "gen_ai.request.model": model,
        "gen_ai.operation.name": WORK_OPERATIONS.get(kind),
        "error.type": type(failure).__name__ if failure else None,
    }
    whole = {"antiphon.rows": len(batch), "antiphon.audio_seconds": sum(entry.seconds for entry in batch)}
    engine: list[Span] = []
    for entry, request in rows:
        part("queue", entry.since, began, parent=request, facts={"gen_ai.request.model": model})
        own: Facts = {**facts, "antiphon.work": kind.__name__, "antiphon.audio_seconds": entry.seconds}
        work = part("work", began, ended, parent=request, links=engine, facts=own)
        if work and not engine:
            requests = [span for _, span in rows]
            made = part("engine", began, ended, parent=work, links=requests, facts={**facts, **whole})
            engine = [made] if made else []
