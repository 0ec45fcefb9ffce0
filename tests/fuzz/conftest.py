"""Fixtures of the fuzzers: the random cases of a run, and a caller of the app with fake engines."""

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
    """A function from the seed of a fuzzer to its cases: the number and the random generator of each.
    `--fuzz-cases` and `--fuzz-first` choose how many and from which number on.
    """
    count, first = request.config.getoption("--fuzz-cases"), request.config.getoption("--fuzz-first")
    return lambda seed: randoms(seed, first, CASES if count is None else count)


@pytest.fixture
def caller(container: Container) -> RawCaller:
    return RawCaller(create_app(container))
