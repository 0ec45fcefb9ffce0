"""Log lines: their shape, and the request that each of them belongs to.

Law: no business. Every module logs with `logging.getLogger(__name__)` and gives fields with `extra={...}`;
only this module defines the format of a line. Libraries log warnings and errors only, whatever the level is:
some of them write SQL parameters or texts of clients.
"""

from __future__ import annotations

import logging
import sys
import time
import uuid
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any, TextIO

OURS = ("antiphon", "app", "engines", "uvicorn")
"""Loggers that use the setting `log.level`. All other loggers write only warnings and errors."""
PRINTING_CLIENTS = ("python_multipart", "websockets", "httptools")
"""Libraries whose warnings quote what a client sent, or come as often as a client likes; their errors reach
the log as exceptions."""
_request: ContextVar[str | None] = ContextVar("request", default=None)
_facts: ContextVar[dict[str, object] | None] = ContextVar("facts", default=None)
_began: ContextVar[float] = ContextVar("began", default=0.0)


def new_request_id() -> str:
    """A new request id: unguessable, unique, short enough to read out."""
    return f"req_{uuid.uuid4().hex}"


def current_request() -> str | None:
    """The id of the request that the running code works for; None outside of requests."""
    return _request.get()


@contextmanager
def bound(request_id: str | None) -> Iterator[None]:
    """Log lines within the `with` block carry this request id. Work on other threads needs it, because a
    context is not passed to them.
    """
    token = _request.set(request_id)
    try:
        yield
    finally:
        _request.reset(token)


@contextmanager
def recorded(request_id: str) -> Iterator[dict[str, object]]:
    """The same as `bound`. It also yields the facts that `note` collects for the access log line of this
    request.
    """
    facts: dict[str, object] = {}
    token, began = _facts.set(facts), _began.set(time.monotonic())
    try:
        with bound(request_id):
            yield facts
    finally:
        _facts.reset(token)
        _began.reset(began)


def note(**facts: object) -> None:
    """Adds facts, such as `model`, to the access log line of the running request, if there is one."""
    known = _facts.get()
    if known is not None:
        known.update(facts)


def tally(**amounts: float) -> None:
    """Adds amounts, such as `audio_seconds`, to the sums in the access log line of the running request."""
    known = _facts.get()
    if known is not None:
        for name, amount in amounts.items():
            before = known.get(name, 0.0)
            known[name] = round((before if isinstance(before, (int, float)) else 0.0) + amount, 3)


def first_output(kind: str) -> None:
    """Notes when the running request had its first output, an `event` or a `sound`."""
    known = _facts.get()
    if known is not None and "first_output" not in known:
        known["first_output"] = kind
        known["first_s"] = round(time.monotonic() - _began.get(), 3)


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to the current `sys.stderr`: a program that replaces it may close the one before."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there
        return sys.stderr


def set_up_logging(level: str, form: str) -> None:
    """Sends every line to standard error. `form`: `text` for people, or `json`: one object a line."""
    handler = StandardError()
    handler.setFormatter(_formatter(form))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    for name in PRINTING_CLIENTS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _formatter(form: str) -> logging.Formatter:
    structlog = _import_structlog()
    fields = structlog.stdlib
    machine = form == "json"
    formatter: logging.Formatter = fields.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(
                "%Y-%m-%dT%H:%M:%SZ" if machine else "%H:%M:%S", utc=machine, key="time"
            ),
            fields.add_log_level,
            fields.add_logger_name,
            fields.ExtraAdder(),
            _add_request,
        ],
        processors=[
            fields.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str) if machine else _text,
        ],
    )
    return formatter


def _import_structlog() -> ModuleType:
    """Imports structlog as if Rich were not there. It would import Rich for a format that is not used, which
    takes 4.5 MB and 0.09 CPU seconds.
    """
    rich = sys.modules.get("rich")
    sys.modules["rich"] = None  # type: ignore[assignment]  # the mark of a missing module
    try:
        import structlog
    finally:
        del sys.modules["rich"]
        if rich:
            sys.modules["rich"] = rich
    return structlog


def _add_request(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.pop("color_message", None)  # uvicorn's copy of the message with colours
    line.pop("_ray_timestamp_ns", None)  # once Ray is imported, every record of the process has it
    line["request_id"] = _request.get()
    return line


def _text(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
    """`12:00:00 info    message key=value request_id=...`, then the stack trace if there is one."""
    trace = line.pop("exception", None)
    head = f"{line.pop('time')} {line.pop('level'):7} {_printable(line.pop('message'))}"
    line.pop("logger")
    fields = "".join(f" {key}={_printable(value)}" for key, value in line.items() if value is not None)
    return f"{head}{fields}" + (f"\n{trace}" if trace else "")


def _printable(value: object) -> str:
    """The text without line breaks and control characters: a client's text cannot imitate a log line."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
