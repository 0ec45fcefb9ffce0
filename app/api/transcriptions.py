"""POST /v1/audio/transcriptions and /v1/audio/translations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.deps import Services
from app.api.documents import TRANSCRIPTION_DOC, TRANSLATION_DOC
from app.api.forms import read_form
from app.api.streaming import EventStream, while_connected
from app.container import Container
from app.services.transcription import OpenTranscription
from app.telemetry import note
from app.wire import sse
from app.wire.events import TranscriptEvents
from app.wire.requests import TranscriptionRequest, transcription_request
from app.wire.speakers import KNOWN
from app.wire.transcripts import MEDIA_TYPES, render
from engines.types import Task

router = APIRouter(tags=["audio"])
Piece = TypeVar("Piece")


@router.post("/audio/transcriptions", openapi_extra=TRANSCRIPTION_DOC)
async def create_transcription(request: Request, services: Services) -> Response:
    """Transcribe audio."""
    return await _answer(request, services, "transcribe")


@router.post("/audio/translations", openapi_extra=TRANSLATION_DOC)
async def create_translation(request: Request, services: Services) -> Response:
    """Translate audio into English."""
    return await _answer(request, services, "translate")


async def _answer(request: Request, services: Container, task: Task) -> Response:
    async with AsyncExitStack() as stack:
        limits, uploads = services.settings.limits, services.uploads
        form = await stack.enter_async_context(read_form(request, limits, uploads, references=KNOWN))
        wanted = await asyncio.to_thread(transcription_request, form.fields, services.request_rules, task)
        note(model=wanted.job.model[:100])
        file = form.file("file")
        if wanted.stream:
            opened = await services.transcription.open(wanted.job, file)
            stack.push_async_callback(opened.aclose)
            return EventStream(_frames(opened, wanted), stack.pop_all())
        transcript = await while_connected(request, services.transcription.transcribe(wanted.job, file))
    body = await asyncio.to_thread(
        render, transcript, wanted.format, wanted.job.model, wanted.granularities, wanted.cues
    )
    return Response(body, media_type=MEDIA_TYPES[wanted.format])


async def _frames(opened: OpenTranscription, wanted: TranscriptionRequest) -> AsyncGenerator[bytes, None]:
    events = TranscriptEvents(wanted.job.model, with_logprobs=wanted.job.logprobs)
    if wanted.job.diarize:
        async with aclosing(opened.spoken()) as groups:
            async for group in groups:
                for frame in await asyncio.to_thread(_encoded, events.feed_spoken, group):
                    yield frame
                if not group:
                    yield sse.comment(f"{opened.seconds:.0f} of {opened.expected or 0:.0f} seconds")
        yield await asyncio.to_thread(_last, events, opened)
        yield sse.DONE
        return
    async with aclosing(opened.segments()) as windows:
        async for segments in windows:
            for frame in await asyncio.to_thread(_encoded, events.feed, segments):
                yield frame
    yield await asyncio.to_thread(_last, events, opened)
    yield sse.DONE


def _encoded(feed: Callable[[Sequence[Piece]], list[dict[str, Any]]], pieces: Sequence[Piece]) -> list[bytes]:
    return [sse.frame(event) for event in feed(pieces)]


def _last(events: TranscriptEvents, opened: OpenTranscription) -> bytes:
    return sse.frame(events.flush(opened.transcript()))
