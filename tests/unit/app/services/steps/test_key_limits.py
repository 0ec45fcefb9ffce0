"""Limits of a key: exact within a minute, with excess made up for later, and kept while
the database fails.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import Caller, Grant, KeyLimits, SharedUsage, UsageCounts
from app.errors import KeyRateLimited, QuotaUsedUp
from app.services.steps import key_limits
from app.services.steps.key_limits import KeyAccount, month_of
from app.services.steps.key_spending import Charge, spending_on

NOON = 1_795_953_600.0
"""2026-11-29 12:00 UTC."""


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(key_limits.time, "time", made.time)  # type: ignore[attr-defined]  # the module's clock
    return made


def account(**limits: int) -> KeyAccount:
    return KeyAccount(Caller("p", "key_1", Grant(limits=KeyLimits(**limits))))


def test_requests_in_a_minute_are_counted_exactly(clock: Clock) -> None:
    mine = account(requests_per_minute=3)
    for left in (2, 1, 0):
        mine.begin()
        mine.end()
        assert mine.rate
        assert mine.rate.remaining == left
    clock.now += 20
    with pytest.raises(KeyRateLimited, match="3 requests per minute") as refused:
        mine.begin()
    assert refused.value.retry_after == 40
    assert mine.rate
    assert mine.rate.reset == 40
    clock.now += 40
    mine.begin()
    assert mine.rate
    assert mine.rate.remaining == 2


def test_requests_at_the_same_time(clock: Clock) -> None:
    mine = account(parallel=2)
    mine.begin()
    mine.begin()
    with pytest.raises(KeyRateLimited, match="2 requests at the same time"):
        mine.begin()
    mine.end()
    mine.begin()


def test_audio_is_claimed_before_the_work_and_corrected_after_it(clock: Clock) -> None:
    mine = account(audio_seconds_per_minute=100)
    with spending_on(mine):
        charge = Charge("heard", 60)
        with pytest.raises(KeyRateLimited, match="100 seconds of audio per minute"):
            Charge("heard", 50)
        charge.settle(10)  # settled early, because the client has left
        Charge("heard", 50).settle(50)
        with pytest.raises(KeyRateLimited):
            Charge("heard", 50)
        grows = Charge("spoken", 0)
        grows.reach(30)
        grows.reach(20)
        grows.reach(45)
        with pytest.raises(KeyRateLimited):
            Charge("spoken", 0)


def test_a_long_audio_is_made_up_for_in_the_following_minutes(clock: Clock) -> None:
    mine = account(audio_seconds_per_minute=100)
    mine.claim("heard", 350)
    with pytest.raises(KeyRateLimited) as refused:
        mine.claim("heard", 1)
    assert refused.value.retry_after == 60, "clients wait no longer"
    for _ in range(3):
        clock.now += 60
        with pytest.raises(KeyRateLimited):
            mine.claim("heard", 60)
    clock.now += 60
    mine.claim("heard", 60)


def test_a_used_up_month_is_another_error(clock: Clock) -> None:
    mine = account(audio_seconds_per_month=1000)
    mine.claim("heard", 900)
    with pytest.raises(QuotaUsedUp, match="has used 900") as refused:
        mine.claim("heard", 101)
    assert refused.value.envelope()["error"]["code"] == "insufficient_quota"
    assert refused.value.retry is False
    mine.claim("spoken", 100)
    clock.now += 86_400
    with pytest.raises(QuotaUsedUp):
        mine.claim("heard", 0)
    clock.now += 86_400  # now it is December
    mine.claim("heard", 1000)


def test_what_others_have_used_counts(clock: Clock) -> None:
    mine = account(requests_per_minute=5, parallel=2, audio_seconds_per_month=100)
    mine.begin()
    found = SharedUsage(minute=UsageCounts(requests=3, heard=9), month_audio=95, running_elsewhere=1)
    mine.share(found, int(NOON), month_of(NOON))
    with pytest.raises(KeyRateLimited, match="at the same time"):
        mine.begin()
    mine.end()
    with pytest.raises(QuotaUsedUp):
        mine.claim("heard", 6)
    mine.begin()
    mine.end()
    with pytest.raises(KeyRateLimited, match="per minute"):
        mine.begin()


@given(steps=st.lists(st.sampled_from(["count", "take", "stored", "failed", "read"]), max_size=40))
def test_nothing_is_lost_or_doubled_on_the_way_to_the_database(steps: list[str]) -> None:
    """Whatever happens to writes, this server counts its requests once, and the database gets each once."""
    mine = account(requests_per_minute=1000)
    begun, stored, taken = 0, 0, None
    month = month_of(key_limits.time.time())  # type: ignore[attr-defined]  # the module's clock
    for step in [*steps, "stored", "take", "stored"]:
        if step == "count":
            mine.begin()
            mine.end()
            begun += 1
        elif step == "take" and taken is None:
            taken = sum(entry.counts.requests for entry in mine.take() if entry.span == "day")
        elif step == "stored" and taken is not None:
            mine.stored()
            stored, taken = stored + taken, None
        elif step == "failed" and taken is not None:
            mine.failed()
            taken = None
        elif step == "read" and taken is None:
            minute = mine._minute
            found = SharedUsage(minute=UsageCounts(requests=stored), month_audio=0.0, running_elsewhere=0)
            mine.share(found, minute, month)
    assert stored == begun
    rate = mine.rate
    assert rate
    assert rate.remaining in (1000 - begun, 1000), "1000 where the minute has ended meanwhile"
