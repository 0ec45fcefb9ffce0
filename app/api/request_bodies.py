"""What requests bring: multipart forms with their fields and files, JSON bodies, and queries.

Law: the names and media types that a client gives to its files are never used. How bytes arrive and are
counted stands in `uploads.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException

from app.api.multipart import BoundedParser, FormBounds
from app.api.uploads import body_chunks, counted, drain
from app.errors import InvalidRequest, MissingField, UploadTooLarge
from app.services.request_bodies import RequestBodyService
from app.settings.limits import LimitsSettings
from app.wire.diarization_request import REFERENCES
from app.wire.form_notations import Fields

DATA_URL_HEAD = 256
"""The most characters of a data URL before its base64 part."""


@dataclass(frozen=True, slots=True)
class Form:
    """One parsed form."""

    fields: Fields
    files: dict[str, BinaryIO]
    """Uploaded files by field name."""

    def file(self, name: str) -> BinaryIO:
        """The file of a field. Raises `MissingField`."""
        if name not in self.files:
            raise MissingField(name)
        return self.files[name]


@asynccontextmanager
async def read_form(
    request: Request,
    limits: LimitsSettings,
    bodies: RequestBodyService,
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
    with bodies.receiving():  # counts the upload for as long as its file is on the disk
        data = await _parsed(BoundedParser(request.headers, counted(request, limits, bounds), bounds))
        try:
            yield await _form(data)
        finally:
            await data.close()


async def read_json(
    request: Request, limits: LimitsSettings, bodies: RequestBodyService, *, most: int | None = None
) -> bytes:
    """The JSON body of a request. `most`: the most bytes, if not `limits.field_bytes`.

    Raises `InvalidRequest`, `Overloaded` or `RequestTimedOut`.
    """
    most = limits.field_bytes if most is None else most
    body = bytearray()
    with bodies.receiving():
        async with aclosing(body_chunks(request, limits)) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > most:
                    await drain(chunks)
                    raise InvalidRequest(f"The body has more than {most} bytes.")
    return bytes(body)


def query_of(request: Request) -> Fields:
    """The parameters in the URL of a request."""
    return Fields(request.query_params.multi_items())


async def _parsed(parser: BoundedParser) -> FormData:
    try:
        return await parser.parse()
    except (UploadTooLarge, InvalidRequest):
        await drain(parser.stream)
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
