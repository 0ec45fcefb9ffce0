"""What a live session may hold, claim and cost: its buffer, its memory, the seconds of its key."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.live import ItemCompleted, LiveSettings
from app.errors import InvalidRequest, QuotaUsedUp
from app.services.steps import live_session
from app.services.steps.key_spending import Use, spending_on
from tests.support.live_stage import MANUAL, TURN, WIDE, completed, staged
from tests.support.waiting import until


class Account:
    """An account that counts seconds, and refuses them once it is used up."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.used_up = False

    def claim(self, use: Use, seconds: float) -> None:
        if self.used_up:
            raise QuotaUsedUp(1, 1)
        self.seconds += seconds

    def extend(self, use: Use, seconds: float) -> None:
        self.seconds += seconds

    def add(self, use: Use, seconds: float) -> None:
        self.seconds += seconds


async def test_half_an_hour_in_one_event_claims_no_more_memory_than_a_turn() -> None:
    """A claim lasts as long as its session. If long events claimed all of their length, a few sessions
    would leave no memory for other requests.
    """
    async with staged() as stage:
        await stage.hear("silence", 1_800, piece=900)
        assert stage.session._permit.held <= live_session.LONGEST_TURN
        await stage.hear("speech", 5)
        await stage.hear("silence", 1)
        await completed(stage)
        assert stage.names() == TURN


async def test_a_full_buffer_drops_the_append_alone() -> None:
    async with staged(MANUAL, buffer=5) as stage:
        await stage.hear("speech", 4.9)
        with pytest.raises(InvalidRequest) as caught:
            await stage.hear("speech", 0.2, piece=0.2)
        assert caught.value.code == "input_audio_buffer_full"
        stage.session.commit()
        await completed(stage)
        assert stage.texts() == ["w0 w1 w2 w3 w4"]


async def test_the_client_waits_while_the_model_is_far_behind() -> None:
    async with staged(MANUAL, ahead=5, gate=False) as stage:
        sending = asyncio.ensure_future(stage.hear("speech", 30))
        await until(lambda: stage.runner.windows, 5, "a look")
        await asyncio.sleep(0.3)
        assert not sending.done()
        stage.runner.gate.set()
        async with asyncio.timeout(10):
            await sending
        stage.session.commit()
        await completed(stage)
        assert stage.texts() == [" ".join(f"w{n}" for n in range(30))]


async def test_no_order_of_settings_lets_uncommitted_audio_exceed_its_limit() -> None:
    """A turn that the client must end stays so when the server is to find further turns, and the other
    way round.
    """
    found, asked = LiveSettings(model="whisper-1", format=WIDE), MANUAL
    for first, then, kind in ((asked, found, "silence"), (found, asked, "speech")):
        async with staged(first, buffer=5) as stage:
            await stage.hear(kind, 0.5)
            stage.session.update(then)
            with pytest.raises(InvalidRequest) as caught:
                await stage.hear("silence", 6, piece=6)
            assert caught.value.code == "input_audio_buffer_full"


async def test_memory_is_given_back_once_the_audio_is_transcribed() -> None:
    async with staged(MANUAL) as stage:
        await stage.hear("speech", 300, piece=10)
        held = stage.runner.admission.held
        assert held >= 150
        stage.session.commit()
        await completed(stage)
        await until(lambda: stage.runner.admission.held <= 30, 20, "the memory")
        await stage.hear("speech", 90, piece=10)
        assert 45 <= stage.runner.admission.held <= 75
        await stage.session.close()
        assert stage.runner.admission.held == 0


async def test_audio_that_a_commit_takes_counts_for_the_key() -> None:
    """While nobody speaks, audio is held and processed later. A commit takes it without that."""
    account = Account()
    with spending_on(account):
        async with staged(MANUAL) as stage:
            await stage.hear("silence", 3)
            for _ in range(4):
                await stage.hear("silence", 0.3)
                stage.session.commit()
    assert account.seconds == pytest.approx(3 + 4 * 0.3)


async def test_audio_that_the_key_may_not_use_is_dropped_by_a_commit() -> None:
    account = Account()
    with spending_on(account):
        async with staged(MANUAL) as stage:
            await stage.hear("silence", 3)
            await stage.hear("silence", 0.3)
            account.used_up = True
            stage.session.commit()
            await completed(stage)
            (event,) = stage.of(ItemCompleted)
            assert isinstance(event, ItemCompleted)
            assert event.transcript.duration == pytest.approx(account.seconds)
    assert account.seconds < 3.3
