"""The cases that the command line asks for, and the app on engines that need no weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from app.container import Container
from app.main import create_app
from tests.support.fuzz import CASES, RawCaller, randoms

Cases = Callable[[str], Iterator[tuple[int, Random]]]


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> Cases:
    """A function that gives the cases of the command line, for the seed of one fuzzer."""
    count, first = request.config.getoption("--fuzz-cases"), request.config.getoption("--fuzz-first")
    return lambda seed: randoms(seed, first, CASES if count is None else count)


@pytest.fixture
def caller(container: Container) -> RawCaller:
    return RawCaller(create_app(container))
