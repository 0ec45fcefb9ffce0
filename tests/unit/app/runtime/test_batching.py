"""The picker: within its limits, fair by seconds of audio, and complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from app.runtime.batching import BatchLimits, pick
from app.runtime.fair_share import FairShare, WaitingRow

items = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("ab"), st.floats(0.1, 30)), max_size=40).map(
    lambda rows: [WaitingRow(i, request, key, seconds) for i, (request, key, seconds) in enumerate(rows)]
)
requests: st.SearchStrategy[Hashable] = st.integers(0, 4)
turns = st.dictionaries(requests, st.floats(0, 100)).map(lambda had: FairShare(50.0, had))
limits = st.builds(BatchLimits, rows=st.integers(1, 8), seconds=st.floats(1, 120))


@given(items, turns, limits)
def test_a_batch_is_within_its_limits(
    waiting: list[WaitingRow], turns: FairShare, limits: BatchLimits
) -> None:
    batch = pick(waiting, turns, limits)
    chosen = [item for item in waiting if item.id in batch]
    assert len(batch) == len(set(batch)) <= limits.rows
    assert len({item.key for item in chosen}) <= 1
    assert len(chosen) <= 1 or sum(item.seconds for item in chosen) <= limits.seconds
    assert bool(batch) == bool(waiting)


@given(items, turns, limits)
def test_windows_of_a_request_keep_their_order(
    waiting: list[WaitingRow], turns: FairShare, limits: BatchLimits
) -> None:
    batch = pick(waiting, turns, limits)
    for request in {item.request for item in waiting}:
        mine = [item.id for item in waiting if item.request == request]
        taken = [i for i in batch if i in mine]
        assert taken == mine[: len(taken)]


def serve(
    waiting: list[WaitingRow], turns: FairShare, limits: BatchLimits
) -> tuple[list[WaitingRow], FairShare]:
    """Takes one batch out of `waiting`. Returns the batch and the shares after it."""
    ids = pick(waiting, turns, limits)
    batch = [item for item in waiting if item.id in ids]
    waiting[:] = [item for item in waiting if item.id not in ids]
    return batch, turns.served(batch, {item.request for item in waiting})


@given(items, limits)
def test_everybody_is_served_once(waiting: list[WaitingRow], limits: BatchLimits) -> None:
    turns = FairShare()
    for request in dict.fromkeys(item.request for item in waiting):
        turns = turns.arrived(request)
    left, served = list(waiting), Counter[int]()
    while left:
        batch, turns = serve(left, turns, limits)
        served.update(item.id for item in batch)
    assert served == Counter(item.id for item in waiting)
    assert turns == FairShare()


@given(st.integers(1, 12), st.integers(0, 12), st.integers(1, 8))
def test_a_short_clip_rides_in_the_next_batch_behind_long_files(files: int, rounds: int, rows: int) -> None:
    turns, one = FairShare(), BatchLimits(rows=rows)
    waiting: list[WaitingRow] = []
    for file in range(files):
        turns = turns.arrived(file)
        waiting += [WaitingRow(100 * file + i, file, "long", 30.0) for i in range(40)]
    for _ in range(rounds):
        _, turns = serve(waiting, turns, one)
    turns = turns.arrived("clip")
    waiting.append(WaitingRow(9999, "clip", "short", 3.0))
    late = 0
    while "clip" in {item.request for item in waiting}:
        _, turns = serve(waiting, turns, one)
        late += 1
    assert late <= 2


def test_short_clips_do_not_starve_a_long_file() -> None:
    turns = FairShare().arrived("long").arrived(0)
    waiting = [WaitingRow(0, "long", "k", 30.0), WaitingRow(1, 0, "k", 3.0)]
    for number in range(2, 100):
        batch, turns = serve(waiting, turns, BatchLimits(rows=1))
        if batch[0].request == "long":
            break
        turns = turns.arrived(number)
        waiting.append(WaitingRow(number, number, "k", 3.0))
    assert "long" not in {item.request for item in waiting}
    assert number < 30


def test_requests_get_equal_seconds_not_equal_windows() -> None:
    turns = FairShare().arrived("long").arrived("short")
    waiting = [WaitingRow(i, "long", "k", 30.0) for i in range(10)]
    waiting += [WaitingRow(100 + i, "short", "k", 5.0) for i in range(60)]
    had = Counter[object]()
    for _ in range(35):
        batch, turns = serve(waiting, turns, BatchLimits(rows=1))
        had[batch[0].request] += int(batch[0].seconds)
    assert abs(had["long"] - had["short"]) <= 30


def test_a_request_wins_nothing_by_leaving_and_coming_back() -> None:
    turns = FairShare(100.0, {"greedy": 160.0, "other": 100.0}).arrived("greedy")
    assert turns.due("greedy") == 160.0
    assert turns.arrived("new").due("new") == 100.0


def test_an_urgent_row_goes_before_rows_that_came_earlier() -> None:
    turns = FairShare()
    for request in range(8):
        turns = turns.arrived(request)
    waiting = [WaitingRow(number, number, "look", 4.0) for number in range(7)]
    waiting.append(WaitingRow(7, 7, "last look", 9.0, urgent=True))
    batch, _ = serve(waiting, turns, BatchLimits(rows=8))
    assert [row.id for row in batch] == [7]


def test_urgent_rows_do_not_starve_a_long_file() -> None:
    turns = FairShare().arrived("long").arrived("speaker")
    waiting = [WaitingRow(0, "long", "k", 30.0), WaitingRow(1, "speaker", "k", 5.0, urgent=True)]
    for number in range(2, 100):
        batch, turns = serve(waiting, turns, BatchLimits(rows=1))
        if batch[0].request == "long":
            break
        turns = turns.arrived("speaker")
        waiting.append(WaitingRow(number, "speaker", "k", 5.0, urgent=True))
    assert number <= 14, "the lead of 30 s, and the 30 s of the window, in rows of 5 s"


def test_urgent_rows_of_ever_new_requests_do_not_starve_a_long_file() -> None:
    turns = FairShare().arrived("long").arrived(1)
    waiting = [WaitingRow(0, "long", "k", 30.0), WaitingRow(1, 1, "k", 5.0, urgent=True)]
    for number in range(2, 100):
        batch, turns = serve(waiting, turns, BatchLimits(rows=1))
        if batch[0].request == "long":
            break
        turns = turns.arrived(number)
        waiting.append(WaitingRow(number, number, "k", 5.0, urgent=True))
    assert number < 40
