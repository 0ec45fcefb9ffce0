"""The events of a streamed transcription as frames, with the extensions: progress and peaks.

Law: the order of the frames. What stands in an event is decided by `app.wire.transcription_events`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from app.audio.peaks import PEAKS_A_SECOND
from app.domain import Progress, TranscriptEvent
from app.logs import first_output
from app.services.steps.open_transcription import OpenTranscription
from app.wire import sse
from app.wire.transcription_events import EventOptions, TranscriptEvents, peaks_event, progress_event
from app.wire.transcription_request import TranscriptionRequest


async def transcription_frames(
    opened: OpenTranscription, wanted: TranscriptionRequest
) -> AsyncGenerator[bytes, None]:
    told = TranscriptEvents(wanted.job.model, wanted.told)
    for frame in _extensions(opened, wanted.told):
        yield frame
    async with aclosing(opened.events()) as events:
        async for event in events:
            if isinstance(event, Progress):
                yield sse.comment(f"{opened.seconds:.0f} of {opened.expected or 0:.0f} seconds")
            else:
                for frame in await asyncio.to_thread(_encoded, told, event):
                    first_output("event")
                    yield frame
            for frame in _extensions(opened, wanted.told):
                yield frame
    for frame in _extensions(opened, wanted.told):  # events about the sound after the last speech
        yield frame
    yield await asyncio.to_thread(_last, told, opened)
    yield sse.DONE


def _extensions(opened: OpenTranscription, options: EventOptions) -> Iterator[bytes]:
    """Events that OpenAI's API does not have, for clients that asked for them."""
    if options.progress:
        yield sse.frame(progress_event(opened.done, opened.expected, opened.queued))
    if opened.peaks and (peaks := opened.peaks.take()):
        yield sse.frame(peaks_event(peaks.start, PEAKS_A_SECOND, peaks.values))


def _encoded(told: TranscriptEvents, event: TranscriptEvent) -> list[bytes]:
    return [sse.frame(shape) for shape in told.feed(event)]


def _last(told: TranscriptEvents, opened: OpenTranscription) -> bytes:
    return sse.frame(told.flush(opened.transcript()))
