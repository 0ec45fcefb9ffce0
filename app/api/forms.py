"""Multipart uploads as real clients send them -> text fields and one spooled file.

Law: bytes are counted as they come, since Content-Length may be absent or a lie; names and types that a
client gives to its file are never used.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from app.api.faults import ClientGone
from app.errors import InvalidRequest, MissingField, RequestTimedOut, UploadTooLarge
from app.runtime.admission import Admission
from app.settings.limits import LimitsSettings
from app.wire.fields import Fields
from app.wire.speakers import REFERENCES

FILES = 10
ENVELOPE_BYTES = 64 * 1024
"""Room for the form's own lines beside the file and the fields."""
DATA_URL_HEAD = 256
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
    request: Request, limits: LimitsSettings, uploads: Admission, *, references: int = 0
) -> AsyncIterator[Form]:
    """The form of a request; its files are deleted on leaving. `references`: clips it may have as data URLs.

    Raises `InvalidRequest`, `UploadTooLarge`, `Overloaded`, `RequestTimedOut`.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidRequest(
            "Send the request as multipart/form-data, with the audio as a file in the field 'file'.",
            param="file",
            code="invalid_content_type",
        )
    clip = 4 * (limits.reference_bytes + 2) // 3 + DATA_URL_HEAD if references else 0
    parser = _Parser(
        limits.upload_bytes,
        request.headers,
        _counted(request, limits, references * clip),
        max_files=FILES,
        max_fields=limits.fields,
        max_part_size=max(limits.field_bytes, clip),
    )
    with uploads.admit():  # held as long as the file lies on our disk
        data = await _parsed(parser)
        try:
            yield _form(data, limits)
        finally:
            await data.close()


async def read_json(request: Request, limits: LimitsSettings) -> bytes:
    """The body of a request that is no upload. Raises `InvalidRequest` or `RequestTimedOut`."""
    body = b""
    try:
        async with asyncio.timeout(limits.upload_idle_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.field_bytes:
                    raise InvalidRequest(f"The body has more than {limits.field_bytes} bytes.")
    except TimeoutError:
        raise RequestTimedOut from None
    except ClientDisconnect:
        raise ClientGone from None
    return body


class _Parser(MultiPartParser):
    """Starlette's, with a bound on the bytes of files while they come in."""

    def __init__(self, file_bytes: int, *args: Any, **limits: Any) -> None:
        super().__init__(*args, **limits)
        self._file_bytes = file_bytes
        self._read = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is not None:
            self._read += end - start
            if self._read > self._file_bytes:
                raise UploadTooLarge(self._file_bytes, self._read)
        super().on_part_data(data, start, end)


async def _parsed(parser: MultiPartParser) -> FormData:
    try:
        return await parser.parse()
    except UploadTooLarge:
        await _drain(parser.stream)
        raise
    except MultiPartException as wrong:
        raise InvalidRequest(f"The multipart body cannot be read: {wrong.message}") from None
    except ClientDisconnect:
        raise ClientGone from None


def _form(data: FormData, limits: LimitsSettings) -> Form:
    texts: list[tuple[str, str]] = []
    files: dict[str, BinaryIO] = {}
    for name, value in data.multi_items():
        if isinstance(value, UploadFile):
            files.setdefault(name.removesuffix("[]"), value.file)
        else:
            if len(value) > limits.field_bytes and not name.startswith(REFERENCES):
                raise InvalidRequest(f"The field '{name[:50]}' has more than {limits.field_bytes} bytes.")
            texts.append((name, value))
    return Form(Fields(texts), files)


async def _counted(request: Request, limits: LimitsSettings, extra: int) -> AsyncGenerator[bytes, None]:
    """`extra`: bytes of form fields that are allowed beside the file."""
    read, limit = 0, limits.upload_bytes
    until = time.monotonic() + limits.request_seconds
    stream = request.stream()
    while True:
        patience = min(limits.upload_idle_seconds, until - time.monotonic())
        try:
            chunk = await asyncio.wait_for(anext(stream), max(patience, 0))
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RequestTimedOut from None
        read += len(chunk)
        if read > limit + ENVELOPE_BYTES + extra:
            await _drain(stream)
            raise UploadTooLarge(limit, read)
        yield chunk


async def _drain(stream: AsyncIterator[bytes]) -> None:
    """Reads on for a while: most clients look for the answer only when all is sent."""
    until, left = time.monotonic() + DRAIN_SECONDS, DRAIN_BYTES
    while left > 0 and (wait := until - time.monotonic()) > 0:
        try:
            chunk = await asyncio.wait_for(anext(stream), wait)
        except (TimeoutError, StopAsyncIteration, ClientDisconnect):
            return
        left -= len(chunk)
