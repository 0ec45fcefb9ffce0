"""POST /v1/audio/transcriptions and /v1/audio/translations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.deps import Intake, IntakeOf, Services
from app.api.forms import read_form
from app.api.streaming import EventStream, opened_in, while_connected
from app.domain import Progress, TranscriptEvent, TranscriptionJob
from app.services.steps.open_transcription import OpenTranscription
from app.services.transcription import TranscriptionService
from app.telemetry import note
from app.wire import sse
from app.wire.events import TranscriptEvents
from app.wire.request_fields import FILE, KNOWN
from app.wire.requests import transcription_request
from app.wire.transcripts import MEDIA_TYPES, render
from engines.types import Task

router = APIRouter(tags=["audio"])


@router.post("/audio/transcriptions")
async def create_transcription(request: Request, services: Services, intake: IntakeOf) -> Response:
    """Transcribe audio."""
    return await _answer(request, services.transcription, intake, "transcribe")


@router.post("/audio/translations")
async def create_translation(request: Request, services: Services, intake: IntakeOf) -> Response:
    """Translate audio into English."""
    return await _answer(request, services.transcription, intake, "translate")


async def _answer(request: Request, service: TranscriptionService, intake: Intake, task: Task) -> Response:
    async with AsyncExitStack() as stack:
        reading = read_form(request, intake.limits, intake.uploads, references=KNOWN)
        form = await stack.enter_async_context(reading)
        wanted = await asyncio.to_thread(transcription_request, form.fields, intake.transcriptions, task)
        note(model=wanted.job.model[:100])
        file = form.file(FILE.name)
        if wanted.stream:
            opening = opened_in(stack, service.open(wanted.job, file))
            opened = await while_connected(request, opening)
            return EventStream(_frames(opened, wanted.job), stack.pop_all(), deadline=opened.deadline)
        transcript = await while_connected(request, service.transcribe(wanted.job, file))
    body = await asyncio.to_thread(
        render, transcript, wanted.format, wanted.job.model, wanted.granularities, wanted.cues
    )
    return Response(body, media_type=MEDIA_TYPES[wanted.format])


async def _frames(opened: OpenTranscription, job: TranscriptionJob) -> AsyncGenerator[bytes, None]:
    text_first = job.diarize is not None and job.diarize.text_first
    told = TranscriptEvents(job.model, with_logprobs=job.logprobs, text_first=text_first)
    async with aclosing(opened.events()) as events:
        async for event in events:
            if isinstance(event, Progress):
                yield sse.comment(f"{opened.seconds:.0f} of {opened.expected or 0:.0f} seconds")
                continue
            for frame in await asyncio.to_thread(_encoded, told, event):
                yield frame
    yield await asyncio.to_thread(_last, told, opened)
    yield sse.DONE


def _encoded(told: TranscriptEvents, event: TranscriptEvent) -> list[bytes]:
    return [sse.frame(shape) for shape in told.feed(event)]


def _last(told: TranscriptEvents, opened: OpenTranscription) -> bytes:
    return sse.frame(told.flush(opened.transcript()))
