from __future__ import annotations

import inspect
import logging
import pickle
from collections.abc import Callable

import pytest

from app import errors
from app.errors import ApiError, AudioTooLong, InternalError, NotAudio, OutOfMemory
from app.runtime.reader_messages import ReadFailure

SIMPLE: list[Callable[[], ApiError]] = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, ApiError)
    and all(p.default is not p.empty for p in list(inspect.signature(kind).parameters.values()))
]


@pytest.mark.parametrize("kind", SIMPLE)
def test_every_error_that_needs_nothing_crosses_as_itself(kind: Callable[[], ApiError]) -> None:
    error = kind()
    rebuilt = pickle.loads(pickle.dumps(ReadFailure.of(error))).rebuilt()  # noqa: S301 - as the pipe does
    assert (type(rebuilt), str(rebuilt), vars(rebuilt)) == (type(error), str(error), vars(error))
    assert rebuilt.envelope() == error.envelope()


@pytest.mark.parametrize("error", [NotAudio("a sentence"), AudioTooLong(7.0, 5.0), AudioTooLong(None, 5.0)])
def test_an_error_with_facts_crosses_as_itself(error: ApiError) -> None:
    rebuilt = pickle.loads(pickle.dumps(ReadFailure.of(error))).rebuilt()  # noqa: S301 - as above
    assert (type(rebuilt), rebuilt.envelope(), rebuilt.status) == (
        type(error),
        error.envelope(),
        error.status,
    )


def test_any_other_failure_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    rebuilt = ReadFailure.of(RuntimeError("/secret/path")).rebuilt()
    assert type(rebuilt) is InternalError
    assert "/secret/path" not in str(rebuilt)
    assert "/secret/path" in caplog.text


def test_memory_that_ran_out_is_known_as_such() -> None:
    assert type(ReadFailure.of(MemoryError()).rebuilt()) is OutOfMemory


def test_a_name_that_is_no_error_is_the_internal_one() -> None:
    assert type(ReadFailure("math", (), {}).rebuilt()) is InternalError
