from __future__ import annotations

import logging
import pickle

import pytest

from app.runtime.child_messages import Failure
from engines.errors import (
    EngineDied,
    EngineError,
    EngineMissing,
    EngineOutOfMemory,
    EngineStuck,
    NeedsTrust,
    UnsupportedInput,
    WeightsBroken,
)


class Foreign(EngineError):
    """An exception class of a plugin, which `engines.errors` does not know."""


@pytest.mark.parametrize(
    "error",
    [
        EngineError("a sentence"),
        EngineMissing("kokoro", "kokoro"),
        EngineOutOfMemory(),
        EngineDied("so", signal=11, status=3),
        EngineStuck(7.0),
        WeightsBroken("broken"),
        UnsupportedInput("no"),
        NeedsTrust("of a pickle"),
    ],
)
def test_every_engine_error_crosses_as_itself(error: EngineError) -> None:
    rebuilt = pickle.loads(pickle.dumps(Failure.of(error))).rebuilt()  # noqa: S301 - as the pipe does
    assert (type(rebuilt), str(rebuilt), vars(rebuilt)) == (type(error), str(error), vars(error))


def test_a_class_of_a_plugin_becomes_the_general_error_with_its_sentence() -> None:
    rebuilt = Failure.of(Foreign("a sentence")).rebuilt()
    assert (type(rebuilt), str(rebuilt)) == (EngineError, "a sentence")


def test_any_other_failure_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    rebuilt = Failure.of(RuntimeError("/secret/path")).rebuilt()
    assert (type(rebuilt), str(rebuilt)) == (EngineError, "The engine failed.")
    assert "/secret/path" in caplog.text


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory")])
def test_memory_that_ran_out_is_known_as_such(error: Exception) -> None:
    assert isinstance(Failure.of(error).rebuilt(), EngineOutOfMemory)


def test_a_library_that_exits_is_an_error() -> None:
    assert str(Failure.of(SystemExit(1)).rebuilt()) == "The engine gave up."


def test_a_name_that_is_no_error_is_the_general_error() -> None:
    assert type(Failure("errno", ("x",), {}).rebuilt()) is EngineError
