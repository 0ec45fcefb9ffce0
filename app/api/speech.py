"""POST /v1/audio/speech."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.answer_lifetime import LiveResponse, opened_in, while_connected
from app.api.deps import CallerOf, IntakeOf, Services
from app.api.event_stream import EventStream
from app.api.request_bodies import read_json
from app.logs import note
from app.services.steps.open_speech import OpenSpeech
from app.wire import sse
from app.wire.media_types import SPEECH_MEDIA_TYPES
from app.wire.speech import delta, done, speech_request

router = APIRouter(tags=["audio"])


@router.post("/audio/speech")
async def create_speech(request: Request, services: Services, intake: IntakeOf, caller: CallerOf) -> Response:
    """Speak text."""
    body = await read_json(request, intake.limits, services.bodies)
    wanted = speech_request(body, intake.speech)
    note(model=wanted.job.model[:100])
    opening = services.speech.open(wanted.job, wanted.format, caller, whole=wanted.whole)
    async with AsyncExitStack() as stack:
        opened = await while_connected(request, opened_in(stack, opening))
        headers = {"x-antiphon-ignored": ", ".join(opened.ignored)} if opened.ignored else {}
        if wanted.events:
            return EventStream(_frames(opened), stack.pop_all(), headers, deadline=opened.deadline)
        if wanted.whole:
            data = await while_connected(request, _whole(opened))
            return Response(data, media_type=SPEECH_MEDIA_TYPES[wanted.format], headers=headers)
        kind, chunks = SPEECH_MEDIA_TYPES[wanted.format], opened.chunks()
        return LiveResponse(chunks, stack.pop_all(), kind, headers, deadline=opened.deadline)


async def _whole(opened: OpenSpeech) -> bytes:
    async with aclosing(opened.chunks()) as chunks:
        return b"".join([data async for data in chunks])


async def _frames(opened: OpenSpeech) -> AsyncGenerator[bytes, None]:
    async with aclosing(opened.chunks()) as chunks:
        async for data in chunks:
            yield sse.frame(delta(data))
    usage = opened.usage
    yield sse.frame(done(usage.input_tokens, usage.output_tokens))
