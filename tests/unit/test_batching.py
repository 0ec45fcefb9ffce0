"""The picker: within its limits, fair, and complete."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.runtime.batching import Waiting, pick

items = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("ab")), max_size=40).map(
    lambda pairs: [Waiting(i, request, key, 1.0) for i, (request, key) in enumerate(pairs)]
)


@given(items, st.lists(st.integers(0, 4), unique=True), st.integers(1, 8))
def test_a_batch_is_within_its_limits(waiting: list[Waiting], turns: list[int], rows: int) -> None:
    batch = pick(waiting, turns, rows)
    chosen = [item for item in waiting if item.id in batch]
    assert len(batch) == len(set(batch)) <= rows
    assert len({item.key for item in chosen}) <= 1
    assert bool(batch) == bool(waiting)


@given(items, st.integers(1, 8))
def test_windows_of_a_request_keep_their_order(waiting: list[Waiting], rows: int) -> None:
    batch = pick(waiting, [], rows)
    for request in {item.request for item in waiting}:
        mine = [item.id for item in waiting if item.request == request]
        taken = [i for i in batch if i in mine]
        assert taken == mine[: len(taken)]


@given(items, st.integers(1, 4))
def test_nobody_starves(waiting: list[Waiting], rows: int) -> None:
    left, turns = list(waiting), list[object]()
    requests = {item.request for item in waiting}
    for _ in range(len(requests)):
        batch = pick(left, turns, rows)
        served = [item.request for item in left if item.id in batch]
        turns = [request for request in turns if request not in served] + served
        left = [item for item in left if item.id not in batch]
    assert requests <= set(turns)


def test_a_short_clip_does_not_wait_behind_a_long_file() -> None:
    waiting = [Waiting(i, "long", "k", 30.0) for i in range(20)] + [Waiting(20, "short", "k", 3.0)]
    assert pick(waiting, ["long"], 1) == [20]
    assert 20 in pick(waiting, [], 2)
