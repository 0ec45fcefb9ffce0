"""Request bodies: multipart forms with their fields and files, and JSON.

Law: bytes are counted as they come, since Content-Length may be absent or wrong; the names and media types
that a client gives to its files are never used.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect

from app.api.faults import ClientGone
from app.api.multipart import BoundedParser, FormBounds
from app.errors import ApiError, InvalidRequest, MissingField, RequestTimedOut, UploadTooLarge
from app.runtime.admission import Admission
from app.settings.limits import LimitsSettings
from app.wire.diarization_request import REFERENCES
from app.wire.fields import Fields

ENVELOPE_BYTES = 64 * 1024
"""Bytes of the form's own lines (boundaries and headers of parts) that are allowed."""
DATA_URL_HEAD = 256
"""Characters of a data URL before its base64."""
SLOWEST = 1000
"""Least average of an upload that takes longer than `limits.upload_idle_seconds`, in bytes a second."""
DRAIN_BYTES = 256 * 1024 * 1024
DRAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Form:
    """One parsed form."""

    fields: Fields
    files: dict[str, BinaryIO]
    """Uploaded files by field name."""

    def file(self, name: str) -> BinaryIO:
        """Raises `MissingField`."""
        if name not in self.files:
            raise MissingField(name)
        return self.files[name]


@asynccontextmanager
async def read_form(
    request: Request,
    limits: LimitsSettings,
    uploads: Admission,
    *,
    file: str = "file",
    file_bytes: int | None = None,
    references: int = 0,
) -> AsyncIterator[Form]:
    """The form of a request; its files are deleted on leaving.

    `file`: the field of the upload, for errors. `file_bytes`: bound on the uploaded files together, where
    it is not `limits.upload_bytes`. `references`: number of clips that may come as data URLs.
    Raises `InvalidRequest`, `UploadTooLarge`, `Overloaded`, `RequestTimedOut`.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidRequest(
            f"Send the request as multipart/form-data, with the audio as a file in the field '{file}'.",
            param=file,
            code="invalid_content_type",
        )
    bounds = FormBounds(
        fields=limits.fields,
        file_bytes=file_bytes or limits.upload_bytes,
        text_bytes=limits.field_bytes,
        clip_field=REFERENCES,
        clip_bytes=references * (4 * (limits.reference_bytes + 2) // 3 + DATA_URL_HEAD),
    )
    with uploads.admit():  # as long as the file is on the disk
        data = await _parsed(BoundedParser(request.headers, _counted(request, limits, bounds), bounds))
        try:
            yield await _form(data)
        finally:
            await data.close()


async def read_json(
    request: Request, limits: LimitsSettings, uploads: Admission, *, most: int | None = None
) -> bytes:
    """The body of a request that is no upload. `most`: bytes, where it is not `limits.field_bytes`.

    Raises `InvalidRequest`, `Overloaded` or `RequestTimedOut`.
    """
    most = limits.field_bytes if most is None else most
    body = bytearray()
    with uploads.admit():
        async with aclosing(_chunks(request, limits)) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > most:
                    await _drain(chunks)
                    raise InvalidRequest(f"The body has more than {most} bytes.")
    return bytes(body)


async def _parsed(parser: BoundedParser) -> FormData:
    try:
        return await parser.parse()
    except (UploadTooLarge, InvalidRequest):
        await _drain(parser.stream)
        raise
    except MultiPartException as wrong:
        raise InvalidRequest(f"The multipart body cannot be read: {wrong.message}") from None


async def _form(data: FormData) -> Form:
    texts: list[tuple[str, str]] = []
    files: dict[str, BinaryIO] = {}
    for name, value in data.multi_items():
        if isinstance(value, str):
            texts.append((name, value))
        elif value.filename is None:  # a clip as a data URL, which the parser wrote to disk
            texts.append((name, await asyncio.to_thread(_text, value)))
        else:
            files.setdefault(name.removesuffix("[]"), value.file)
    return Form(Fields(texts), files)


def _text(part: UploadFile) -> str:
    text = part.file.read().decode("utf-8", "replace")
    part.file.close()
    return text


async def _counted(
    request: Request, limits: LimitsSettings, bounds: FormBounds
) -> AsyncGenerator[bytes, None]:
    """The body, of no more bytes than the parts may have together."""
    read, limit = 0, bounds.file_bytes
    most = limit + bounds.text_bytes + bounds.clip_bytes + ENVELOPE_BYTES
    async with aclosing(_chunks(request, limits)) as chunks:
        async for chunk in chunks:
            read += len(chunk)
            if read > most:
                await _drain(chunks)
                raise UploadTooLarge(limit, read)
            yield chunk


async def _chunks(request: Request, limits: LimitsSettings) -> AsyncGenerator[bytes, None]:
    """The body as it comes. Raises `RequestTimedOut` where the client stops, or sends next to nothing."""
    read, began = 0, time.monotonic()
    stream = request.stream()
    while True:
        spent = time.monotonic() - began
        if spent > limits.upload_idle_seconds and read < spent * SLOWEST:
            raise RequestTimedOut
        patience = min(limits.upload_idle_seconds, limits.request_seconds - spent)
        try:
            chunk = await asyncio.wait_for(anext(stream), max(patience, 0))
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RequestTimedOut from None
        except ClientDisconnect:
            raise ClientGone from None
        read += len(chunk)
        yield chunk


async def _drain(stream: AsyncIterator[bytes]) -> None:
    """Reads on for a while: most clients look for the answer only when all is sent."""
    until, left = time.monotonic() + DRAIN_SECONDS, DRAIN_BYTES
    while left > 0 and (wait := until - time.monotonic()) > 0:
        try:
            chunk = await asyncio.wait_for(anext(stream), wait)
        except (TimeoutError, StopAsyncIteration, ClientGone, ApiError):
            return
        left -= len(chunk)
