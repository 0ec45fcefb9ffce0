"""POST /v1/audio/transcriptions and /v1/audio/translations."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.answer_lifetime import opened_in, while_connected
from app.api.deps import CallerOf, Intake, IntakeOf, Services
from app.api.event_stream import EventStream
from app.api.request_bodies import read_form, read_json
from app.api.transcription_stream import transcription_frames
from app.logs import note
from app.services.use_cases import UseCases
from app.wire.cue_breaks import CueRules
from app.wire.edited_transcripts import BODY_BYTES, render_request, rendered
from app.wire.media_types import RENDERED_MEDIA_TYPES, TRANSCRIPT_MEDIA_TYPES
from app.wire.request_fields import FILE, MOST_KNOWN_SPEAKERS
from app.wire.transcription_request import transcription_request
from app.wire.transcripts import render
from engines.types import Task

router = APIRouter(tags=["audio"])


@router.post("/audio/transcriptions")
async def create_transcription(request: Request, services: Services, intake: IntakeOf) -> Response:
    """Transcribe audio."""
    return await _answer(request, services, intake, "transcribe")


@router.post("/audio/translations")
async def create_translation(request: Request, services: Services, intake: IntakeOf) -> Response:
    """Translate audio into English."""
    return await _answer(request, services, intake, "translate")


@router.post("/audio/transcriptions/render")
async def render_transcription(
    request: Request, services: Services, intake: IntakeOf, caller: CallerOf
) -> Response:
    """Make a file of segments that a client has edited: subtitles, text, JSON or a Word document."""
    with services.edited_files.admit(caller.key):
        body = await read_json(request, intake.limits, services.bodies, most=BODY_BYTES)
        making = services.edited_files.made(partial(_file, body, intake.transcriptions.cues))
        data, kind = await while_connected(request, making)
    return Response(data, media_type=kind)


def _file(body: bytes, cues: CueRules) -> tuple[bytes, str]:
    """The bytes of the file, and its media type."""
    wanted = render_request(body)
    return rendered(wanted, cues), RENDERED_MEDIA_TYPES[wanted.format]


async def _answer(request: Request, services: UseCases, intake: Intake, task: Task) -> Response:
    service = services.transcription
    async with AsyncExitStack() as stack:
        reading = read_form(request, intake.limits, services.bodies, references=MOST_KNOWN_SPEAKERS)
        form = await stack.enter_async_context(reading)
        wanted = await asyncio.to_thread(transcription_request, form.fields, intake.transcriptions, task)
        note(model=wanted.job.model[:100])
        file = form.file(FILE.name)
        if wanted.stream:
            opening = opened_in(stack, service.open(wanted.job, file))
            opened = await while_connected(request, opening)
            return EventStream(
                transcription_frames(opened, wanted), stack.pop_all(), deadline=opened.deadline
            )
        transcript = await while_connected(request, service.transcribe(wanted.job, file))
    body = await asyncio.to_thread(
        render, transcript, wanted.format, wanted.job.model, wanted.granularities, wanted.cues
    )
    return Response(body, media_type=TRANSCRIPT_MEDIA_TYPES[wanted.format])
