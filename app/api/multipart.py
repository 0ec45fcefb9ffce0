"""The multipart parser with bounds on everything that a request can bring.

Law: a form that exceeds a bound is refused while it arrives, not when all of it is in memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartParser

from app.errors import InvalidRequest, UploadTooLarge

MOST_FILES = 10
"""The most files in one form."""
CLIP_MEMORY = 64 * 1024
"""Bytes of the data URL of a clip that stay in memory; longer ones are written to disk."""
BOUNDARY_BYTES = 256
"""The most bytes of a boundary; RFC 2046 allows 70."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormBounds:
    """The limits of one form."""

    fields: int
    """The most parts that are not files."""
    file_bytes: int
    """The most bytes of all files together."""
    text_bytes: int
    """The most bytes of all text fields together. Clips are counted by `clip_bytes` instead."""
    clip_field: str
    """The name of the field that holds clips as data URLs."""
    clip_bytes: int
    """The most bytes of the data URLs of all clips together; 0: no clip is accepted."""


class BoundedParser(MultiPartParser):
    """Starlette's parser, with limits on the sums of all parts and not only on each part.

    Text is UTF-8 (RFC 7578, section 5.1.2); the parameter `charset` of the content type is ignored.
    """

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], bounds: FormBounds) -> None:
        super().__init__(
            _boundary_alone(headers),
            stream,
            max_files=MOST_FILES,
            max_fields=bounds.fields,
            max_part_size=max(bounds.text_bytes, bounds.clip_bytes),
        )
        self._bounds = bounds
        self._complete = False
        self._file_bytes = 0
        self._text_bytes = 0
        self._clip_bytes = 0

    async def parse(self) -> FormData:
        """Reads the whole form. Raises `ApiError` or `MultiPartException`."""
        form = await super().parse()
        if not self._complete:
            for file in self._files_to_close_on_error:
                file.close()
            raise InvalidRequest("The multipart body ends before its last boundary.")
        return form

    def on_end(self) -> None:
        self._complete = True

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        self._count_text(len(part.field_name))
        if part.file is None and self._is_clip() and self._bounds.clip_bytes:
            spool: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=CLIP_MEMORY)  # noqa: SIM115 - FormData closes it
            self._files_to_close_on_error.append(spool)
            part.file = UploadFile(file=spool, size=0)  # type: ignore[arg-type]  # as Starlette does

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        file, size = self._current_part.file, end - start
        if file is None:
            self._count_text(size)
        elif file.filename is None:
            self._count_clip(size)
        else:
            self._count_file(size)
        super().on_part_data(data, start, end)

    def _is_clip(self) -> bool:
        return self._current_part.field_name.partition("[")[0].strip() == self._bounds.clip_field

    def _count_text(self, size: int) -> None:
        self._text_bytes += size
        if self._text_bytes > self._bounds.text_bytes:
            name = self._current_part.field_name[:100]
            raise InvalidRequest(
                f"The form's fields have more than {self._bounds.text_bytes} bytes of text together; "
                f"the last one that was read is '{name}'.",
                param=name,
            )

    def _count_clip(self, size: int) -> None:
        self._clip_bytes += size
        if self._clip_bytes > self._bounds.clip_bytes:
            name = self._bounds.clip_field
            raise InvalidRequest(
                f"The data URLs in '{name}' have more than {self._bounds.clip_bytes} bytes together.",
                param=name,
            )

    def _count_file(self, size: int) -> None:
        self._file_bytes += size
        if self._file_bytes > self._bounds.file_bytes:
            raise UploadTooLarge(self._bounds.file_bytes, self._file_bytes)


def _boundary_alone(headers: Headers) -> Headers:
    """The headers with a content type that has no parameter but the boundary. Raises `InvalidRequest`."""
    _, options = parse_options_header(headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= BOUNDARY_BYTES or any(sign in b'"\\\r\n' for sign in boundary):
        raise InvalidRequest(
            "The content type must name the boundary: multipart/form-data; boundary=...",
            code="invalid_content_type",
        )
    return Headers(raw=[(b"content-type", b'multipart/form-data; boundary="' + boundary + b'"')])
