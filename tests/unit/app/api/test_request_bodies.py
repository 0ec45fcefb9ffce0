"""Forms: what a client sends is bounded while it comes in, and its text is UTF-8 whatever the header says."""

from __future__ import annotations

import asyncio
import base64
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import Request

from app.api.request_bodies import Form, read_form, read_json
from app.errors import ApiError, InvalidRequest, Overloaded, RequestTimedOut, UploadTooLarge
from app.runtime.admission import Admission
from app.runtime.blocking_work import WorkThreads
from app.services.request_bodies import RequestBodyService
from app.settings.base import MIB
from app.settings.limits import LimitsSettings
from app.wire.diarization_request import speaker_request
from app.wire.field_reader import FormReader
from app.wire.request_fields import MOST_KNOWN_SPEAKERS

LIMITS = LimitsSettings()
CHUNK = 64 * 1024


def part(name: str, data: bytes, file: bool = False) -> bytes:
    also = '; filename="a"' if file else ""
    return b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (
        name.encode(),
        also.encode(),
        data,
    )


def request(
    parts: Iterator[bytes] | list[bytes], kind: str = "multipart/form-data; boundary=x", closed: bool = True
) -> Request:
    """A request whose body is generated while it is read, so that the test does not hold it in memory."""

    def chunks() -> Iterator[bytes]:
        for piece in parts:
            for start in range(0, len(piece), CHUNK):
                yield piece[start : start + CHUNK]
        if closed:
            yield b"--x--\r\n"

    waiting = chunks()

    async def receive() -> dict[str, Any]:
        data = next(waiting, None)
        return {"type": "http.request", "body": data or b"", "more_body": data is not None}

    headers = [(b"content-type", kind.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def bodies(uploads: Admission) -> RequestBodyService:
    """The service of the routes. Reading a body needs none of its threads."""
    return RequestBodyService(uploads, WorkThreads(1))


async def read(asked: Request, **options: Any) -> AsyncIterator[Form]:
    async with read_form(asked, LIMITS, bodies(Admission(1, 60)), **options) as form:
        yield form


async def refused(asked: Request, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        async for _ in read(asked, **options):
            pass
    return caught.value


@pytest.fixture
def memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("name", ["prompt", "f{}", "known_speaker_names[]"])
async def test_text_is_bounded_while_it_comes_in(name: str) -> None:
    parts = (part(name.format(i), b"x" * (900 * 1024)) for i in range(45))
    error = await refused(request(parts), references=MOST_KNOWN_SPEAKERS)
    assert (error.status, error.param) == (400, name.format(1))
    assert tracemalloc.get_traced_memory()[1] < 6 * MIB


@pytest.mark.usefixtures("memory")
async def test_one_endless_text() -> None:
    error = await refused(
        request(part("prompt", b"x" * 1024 * 1024) for _ in range(1)), references=MOST_KNOWN_SPEAKERS
    )
    assert isinstance(error, InvalidRequest)
    assert error.param == "prompt"


@pytest.mark.usefixtures("memory")
async def test_clips_are_on_disk_until_the_form_is_complete_and_exist_once_afterwards() -> None:
    clip = b"data:audio/wav;base64," + base64.b64encode(bytes(4 * MIB))
    names = [part("known_speaker_names[]", b"n%d" % i) for i in range(MOST_KNOWN_SPEAKERS)]

    def parts() -> Iterator[bytes]:
        yield from names
        for index in range(MOST_KNOWN_SPEAKERS):
            yield part("known_speaker_references[]", clip)
            if index == MOST_KNOWN_SPEAKERS - 1:
                # Only the test's own copy of one part is in memory: no clip was kept.
                assert tracemalloc.get_traced_memory()[0] < 3 * len(clip)

    async for form in read(request(parts()), references=MOST_KNOWN_SPEAKERS):
        found = speaker_request(FormReader(form.fields, "transcriptions"), "diarized_json")
        assert found
        assert [len(reference.audio) for reference in found.references] == [4 * MIB] * MOST_KNOWN_SPEAKERS
        clips, test_s_own = MOST_KNOWN_SPEAKERS * 4 * MIB, 3 * len(clip)
        assert tracemalloc.get_traced_memory()[0] < clips + test_s_own


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("references", [0, MOST_KNOWN_SPEAKERS])
async def test_clips_are_bounded_too(references: int) -> None:
    parts = (part("known_speaker_references[]", b"x" * 5 * MIB) for _ in range(8))
    error = await refused(request(parts), references=references)
    assert error.status == 400
    assert (error.param or "").startswith("known_speaker_references")
    assert tracemalloc.get_traced_memory()[1] < 24 * MIB


async def test_files_are_bounded_together() -> None:
    parts = [part("file", b"x" * 600, file=True), part("other", b"x" * 600, file=True)]
    assert isinstance(await refused(request(parts), file_bytes=1000), UploadTooLarge)


@pytest.mark.parametrize(
    "charset",
    ["undefined", "punycode", "unicode_escape", "raw_unicode_escape", "utf-16", "\0", "x" * 500, "idna"],
)
async def test_the_charset_of_a_form_is_utf_8(charset: str) -> None:
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    async for form in read(request([part("prompt", "ä\\ud800".encode())], kind)):
        assert form.fields.text("prompt") == "ä\\ud800"


@pytest.mark.parametrize("boundary", ["", '"a\\"b"', "x" * 300, '"'])
async def test_boundaries_that_cannot_be(boundary: str) -> None:
    error = await refused(request([b""], f"multipart/form-data; boundary={boundary}", closed=False))
    assert (error.status, error.code) in ((400, "invalid_content_type"), (400, None))


@pytest.mark.parametrize("pause", [0.02, 5.0])
@pytest.mark.parametrize("json", [False, True])
async def test_a_client_that_only_dribbles_is_given_up(pause: float, json: bool) -> None:
    body = iter(part("prompt", b"x" * 10_000))

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": bytes([next(body)]), "more_body": True}

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    asked = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    impatient, uploads = LimitsSettings(upload_idle_seconds=0.2), Admission(1, 60)
    with pytest.raises(RequestTimedOut):
        await (read_json if json else read_form_s_fields)(asked, impatient, bodies(uploads))
    assert uploads.count == 0


async def read_form_s_fields(asked: Request, limits: LimitsSettings, service: RequestBodyService) -> None:
    async with read_form(asked, limits, service):
        pass


async def test_bodies_take_a_place_too() -> None:
    uploads = Admission(1, 60)
    with uploads.admit(), pytest.raises(Overloaded):
        await read_json(request([]), LIMITS, bodies(uploads))


async def test_json_bodies_are_bounded() -> None:
    error = await refused_json(request(b" " * 500_000 for _ in range(60)))
    assert error.status == 400


async def refused_json(asked: Request) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await read_json(asked, LIMITS, bodies(Admission(1, 60)))
    return caught.value


async def test_the_error_names_the_file_s_own_field() -> None:
    for name in ("recording", "audio_sample", "file"):
        assert (await refused(request([], "application/json"), file=name)).param == name


async def test_a_form_that_ends_too_soon_leaves_no_open_file() -> None:
    """An unclosed file would be a ResourceWarning, which fails the tests."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    for body in ([head], [head, b"sound"], [head, b"sound\r\n--x"], [part("prompt", b"x")]):
        error = await refused(request(body, closed=False))
        assert "last boundary" in error.message


@pytest.mark.usefixtures("memory")
async def test_an_array_of_tiny_strings_does_not_multiply_in_memory() -> None:
    array = b"[" + b",".join([b'"ab"'] * 4_000_000) + b"]"
    form = request([part("known_speaker_references", array)])
    async for read_one in read(form, references=MOST_KNOWN_SPEAKERS):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        with pytest.raises(ApiError, match="more than 4 entries"):
            speaker_request(FormReader(read_one.fields, "transcriptions"), "diarized_json")
        assert tracemalloc.get_traced_memory()[1] - before < MIB
