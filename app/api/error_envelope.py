"""Turns every failure into OpenAI's error envelope, on every path.

Law: errors are rendered here alone. An internal error is logged with its stack trace, which no client sees.
"""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from app import errors
from app.errors import ApiError, from_engine, from_os
from app.logs import note
from engines.errors import EngineError

log = logging.getLogger(__name__)
CLIENT_GONE = 499
"""The status in the log for a client that left before the answer (as nginx has it); nobody receives it."""


class ClientGone(Exception):
    """The client has closed the connection, so nobody would read an answer."""


def install(app: FastAPI) -> None:
    """Makes every handler of `app` answer errors with the envelope."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(ClientGone, _client_gone)
    app.add_exception_handler(EngineError, _engine_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)


def response(error: ApiError) -> Response:
    """The HTTP response for an error."""
    note(error=error.code or str(error.status))
    if error.refused:
        note(refused=error.refused)
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    if error.retry is not None:
        headers["x-should-retry"] = str(error.retry).lower()
    return JSONResponse(error.envelope(), error.status, headers)


def internal(failure: BaseException) -> ApiError:
    """Logs a failure that nothing else caught; returns the error that a client may see."""
    log.error("an unexpected failure", exc_info=failure)
    if isinstance(failure, MemoryError):
        return errors.OutOfMemory()
    return from_os(failure) if isinstance(failure, OSError) else errors.InternalError()


async def _api_error(_: Request, failure: Exception) -> Response:
    assert isinstance(failure, ApiError)
    return response(failure)


async def _client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _engine_error(_: Request, failure: Exception) -> Response:
    assert isinstance(failure, EngineError)
    log.warning("an engine failed: %s", failure)
    return response(from_engine(failure))


async def _http_error(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    answer = response(_translated(request, failure))
    answer.headers.update(failure.headers or {})
    return answer


async def _validation_error(_: Request, failure: Exception) -> Response:
    assert isinstance(failure, RequestValidationError)
    first = failure.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:]) or None
    return response(errors.InvalidValue(f"Invalid request: {first['msg']}.", param=name))


def _translated(request: Request, failure: HTTPException) -> ApiError:
    method, path = request.method, request.url.path[:200]
    if failure.status_code == 404:
        return errors.UnknownUrl(f"Unknown request URL: {method} {path}.{_hint(path)}")
    if failure.status_code == 405:
        return errors.MethodNotAllowed(f"{path} exists, but not with the method {method}.")
    if failure.status_code < 500:
        return errors.InvalidRequest(str(failure.detail))
    return errors.InternalError()


def _hint(path: str) -> str:
    if path.startswith("/v1/v1"):
        return " The path has `/v1` twice: the client adds what `base_url` already has."
    if path.startswith(("/audio", "/models")):
        return " Set the client's `base_url` to an address that ends with `/v1`."
    return " Please check the URL for typos."
