"""GET / and /studio/...: the web page and its files. They need no key, because they hold no secret."""

from __future__ import annotations

import asyncio
from functools import cache

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import UnknownUrl
from app.studio.assets import FILE_HEADERS, HEADERS, Asset, Page, load_page
from app.studio.negotiation import knows, language_for, takes_gzip

router = APIRouter(include_in_schema=False)
ONE_YEAR = "public, max-age=31536000, immutable"
_page = cache(load_page)


@router.api_route("/", methods=["GET", "HEAD"])
async def index(request: Request) -> Response:
    """The page itself, in the language of the browser, which asks for it each time and gets 304 while it is
    unchanged.
    """
    page = await _loaded()
    language = language_for(request.headers.get("accept-language", ""), page.indexes)
    tag = page.tags[language]
    headers = {
        **HEADERS,
        "cache-control": "no-cache",
        "etag": tag,
        "content-language": language,
        "vary": "accept-encoding, accept-language",
    }
    if knows(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return _answer(page.indexes[language], request, headers)


@router.api_route("/studio/{digest}/{name:path}", methods=["GET", "HEAD"])
async def asset(request: Request, digest: str, name: str) -> Response:
    """One file of the page."""
    page = await _loaded()
    if digest != page.digest or name not in page.files:
        raise UnknownUrl(
            "This file of the page does not exist. Load the page again: it may be of another version."
        )
    return _answer(page.files[name], request, {**FILE_HEADERS, "cache-control": ONE_YEAR})


async def _loaded() -> Page:
    """The page. Only reading its files takes a thread."""
    return _page() if _page.cache_info().currsize else await asyncio.to_thread(_page)


def _answer(found: Asset, request: Request, headers: dict[str, str]) -> Response:
    all_headers = {"vary": "accept-encoding", **headers}
    if found.compressed and takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(
            found.compressed, media_type=found.media_type, headers={**all_headers, "content-encoding": "gzip"}
        )
    return Response(found.data, media_type=found.media_type, headers=all_headers)
