"""Odd requests of every kind: not one 5xx, nothing that hangs, each refusal in the envelope."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from random import Random

import pytest

from app.container import Container
from tests.fuzz.requests import KINDS, OddRequest, form_request
from tests.support.fuzz import Answer, Outcomes, RawCaller, cut

pytestmark = pytest.mark.slow

Cases = Callable[[str], Iterator[tuple[int, Random]]]


async def answered(caller: RawCaller, odd: OddRequest, chance: Random) -> Answer:
    return await caller(odd.method, odd.target, odd.headers, cut(odd.body, chance))


@pytest.mark.parametrize("kind", KINDS)
async def test_odd_requests(kind: str, caller: RawCaller, cases: Cases) -> None:
    outcomes = Outcomes()
    for case, chance in cases(kind):
        outcomes.add(case, await answered(caller, KINDS[kind](chance), chance))
    outcomes.assert_deep()


async def test_nothing_is_left_behind(container: Container, caller: RawCaller, cases: Cases) -> None:
    """Sends a hundred requests at once; afterwards every permit and every place is free."""
    chances = [chance for _, chance in cases("together")][:100]
    answers = await asyncio.gather(*(answered(caller, form_request(chance), chance) for chance in chances))
    outcomes = Outcomes()
    for case, answer in enumerate(answers):
        outcomes.add(case, answer)
    outcomes.assert_deep()
    assert container.uploads.count == 0
