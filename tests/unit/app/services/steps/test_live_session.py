"""One live session: turns and items, an hour of silence, other settings, clients that leave in mid turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.domain.live import (
    ItemCommitted,
    ItemCompleted,
    ItemFailed,
    ItemText,
    ServerTurns,
    SpeechStarted,
    SpeechStopped,
)
from app.errors import InvalidRequest
from app.services.steps import live_session
from engines import catalog
from engines.types import SAMPLE_RATE
from tests.conftest import JFK
from tests.support.live_stage import MANUAL, TURN, completed, staged
from tests.support.sound import decode
from tests.support.waiting import rounds, until


async def test_a_turn_is_told_in_order_and_its_text_is_that_of_its_deltas() -> None:
    async with staged() as stage:
        await stage.hear("silence", 1)
        await stage.hear("speech", 5)
        await stage.hear("silence", 1)
        await completed(stage)
        assert stage.names() == TURN
        told = "".join(word.text for event in stage.of(ItemText) for word in event.words)  # type: ignore[union-attr]
        assert stage.texts() == [told] == ["w1 w2 w3 w4 w5"]


async def test_an_hour_of_silence_tells_nothing_keeps_nothing_and_then_a_sentence_is_heard() -> None:
    async with staged() as stage:
        await stage.hear("silence", 3600, piece=10)
        assert stage.events == []
        assert stage.runner.windows == []
        assert stage.session._buffer.seconds <= 4, "three seconds and a piece"
        await stage.hear("speech", 5)
        await stage.hear("silence", 1)
        await completed(stage)
        assert stage.names() == TURN
        start = stage.of(SpeechStarted)[0]
        assert isinstance(start, SpeechStarted)
        assert 3_599_500 <= start.milliseconds <= 3_600_000


async def test_an_hour_of_silence_and_of_noise_is_silence_for_the_real_detector() -> None:
    """Half an hour of no sound at all, half an hour of a microphone's noise, and then somebody speaks."""
    hiss = np.random.default_rng(7).normal(0, 30, SAMPLE_RATE * 10).astype("<i2").tobytes()
    speech = (decode(JFK.read_bytes()) * 32_767).astype("<i2").tobytes()
    async with staged(stream=catalog.speech_detector("silero")().open()) as stage:
        for piece in (bytes(len(hiss)), hiss):
            for _ in range(180):
                await stage.session.append(piece)
        assert stage.events == []
        assert stage.runner.windows == []
        assert stage.session._buffer.seconds <= 4
        await stage.session.append(speech + hiss)
        await completed(stage)
        start = stage.of(SpeechStarted)[0]
        assert isinstance(start, SpeechStarted)
        assert 3_599_500 <= start.milliseconds <= 3_601_500


async def test_sound_that_is_sent_at_once_gives_the_same_turns() -> None:
    edges = []
    for piece in (0.02, 0.1, 1.0):
        async with staged() as stage:
            for _ in range(3):
                await stage.hear("silence", 2, piece)
                await stage.hear("speech", 3, piece)
            await stage.hear("silence", 2, piece)
            await completed(stage, 3)
            edges.append([e.milliseconds for e in stage.of(SpeechStarted, SpeechStopped)])  # type: ignore[union-attr]
    assert edges[0] == edges[1] == edges[2]
    assert len(edges[0]) == 6


async def test_what_was_dropped_is_not_transcribed_and_its_look_is_given_up() -> None:
    async with staged(gate=False) as stage:
        await stage.hear("speech", 2)
        await until(lambda: stage.runner.windows, 5, "a look")
        stage.session.clear()
        await until(lambda: stage.runner.given_up == 1, 5, "the end of the look")
        stage.runner.gate.set()
        await stage.hear("silence", 1)
        await stage.hear("speech", 2)
        await stage.hear("silence", 1)
        await completed(stage)
        assert stage.names() == ["SpeechStarted", *TURN]
        first, second = stage.of(SpeechStarted)
        assert first.item != second.item
        assert {event.item for event in stage.of(ItemCommitted, ItemCompleted)} == {second.item}


async def test_a_client_that_leaves_in_mid_turn_leaves_nothing_behind() -> None:
    async with staged(gate=False) as stage:
        await stage.hear("speech", 2)
        await until(lambda: stage.runner.windows, 5, "a look")
        await stage.session.close()
        assert stage.runner.given_up == 1
        assert stage.runner.admission.count == 0
        assert stage.session._permit.cancel.is_set()
        assert not stage.of(ItemCommitted, ItemCompleted, ItemFailed)


async def test_further_settings_hold_from_the_next_item_on() -> None:
    async with staged() as stage:
        await stage.hear("speech", 2)
        stage.session.update(replace(stage.session.settings, language="de", prompt="Namen."))
        await stage.hear("silence", 1)
        await completed(stage)
        assert {window.prompt for window in stage.runner.windows} == {""}
        stage.runner.windows.clear()
        await stage.hear("speech", 2)
        await stage.hear("silence", 1)
        await completed(stage, 2)
        assert {(w.language, w.prompt.split()[0]) for w in stage.runner.windows} == {("de", "Namen.")}


async def test_turn_detection_may_change_between_turns() -> None:
    async with staged() as stage:
        stage.session.update(replace(stage.session.settings, turns=None))
        await stage.hear("speech", 2)
        await stage.hear("silence", 2)
        assert not stage.of(SpeechStarted, ItemCommitted)
        stage.session.commit()
        stage.session.update(replace(stage.session.settings, turns=ServerTurns(silence_duration_ms=200)))
        await stage.hear("speech", 2)
        await stage.hear("silence", 1)
        await completed(stage, 2)
        assert sorted(stage.names()) == sorted(["ItemCommitted", "ItemCompleted", *TURN])
        assert stage.texts() == ["w0 w1", "w4 w5"]


async def test_unbroken_speech_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_session, "LONGEST_TURN", 10.0)
    async with staged() as stage:
        await stage.hear("speech", 15, piece=0.5)
        await stage.hear("silence", 1)
        await completed(stage, 2)
        stops, starts = stage.of(SpeechStopped), stage.of(SpeechStarted)
        assert len(stops) == len(starts) == 2
        assert stops[0].milliseconds == starts[1].milliseconds  # type: ignore[union-attr]
        assert " ".join(stage.texts()) == " ".join(f"w{n}" for n in range(15))


async def test_speech_that_is_cut_after_other_settings_came_is_one_further_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_session, "LONGEST_TURN", 10.0)
    async with staged() as stage:
        await stage.hear("speech", 1)
        turns = ServerTurns(silence_duration_ms=700)
        stage.session.update(replace(stage.session.settings, turns=turns))
        await stage.hear("speech", 14, piece=0.5)
        await stage.hear("silence", 1)
        await completed(stage, 2)
        assert len(stage.of(SpeechStarted)) == len(stage.of(SpeechStopped)) == 2
        assert " ".join(stage.texts()) == " ".join(f"w{n}" for n in range(15))
        await stage.hear("speech", 2)
        await stage.hear("silence", 1)
        await completed(stage, 3)
        assert len(stage.texts()) == 3


async def test_clear_forgets_half_a_sample() -> None:
    """Otherwise all that follows would be noise, with the halves of its samples swapped."""
    async with staged(MANUAL) as stage:
        await stage.session.append(b"\1" * 3201)
        stage.session.clear()
        await stage.hear("speech", 1)
        assert stage.session._buffer.sound(0, 10**6).max() == pytest.approx(8000 / 32_768)


async def test_an_item_that_was_told_a_moment_before_the_end_of_its_session_does_not_fail() -> None:
    async with staged(MANUAL) as stage:
        await stage.hear("speech", 2)
        stage.session.commit()
        for _ in range(1000):
            if stage.of(ItemCompleted):
                break
            await rounds(1)
        await stage.session.give_up(InvalidRequest("Time is over.", code="session_expired"))
        assert [type(event) for event in stage.of(ItemCompleted, ItemFailed)] == [ItemCompleted]


async def test_items_that_are_not_complete_at_the_end_of_a_session_fail_once() -> None:
    async with staged(MANUAL) as stage:
        await stage.hear("speech", 2)
        stage.session.commit()
        await completed(stage)
        stage.runner.gate.clear()
        for _ in range(2):
            await stage.hear("speech", 2)
            stage.session.commit()
        await stage.hear("speech", 2)
        await stage.session.give_up(InvalidRequest("Time is over.", code="session_expired"))
        stage.runner.gate.set()
        ends = stage.of(ItemCompleted, ItemFailed)
        assert [type(event) for event in ends] == [ItemCompleted, ItemFailed, ItemFailed]
        assert [event.item for event in ends] == [event.item for event in stage.of(ItemCommitted)]
        assert {(event.code, event.message) for event in ends[1:]} == {("session_expired", "Time is over.")}  # type: ignore[union-attr]


async def test_a_session_is_one_request_for_the_fair_share() -> None:
    async with staged() as stage:
        for number in range(3):
            await stage.hear("speech", 3)
            await stage.hear("silence", 1)
            await completed(stage, number + 1)
        assert len(stage.runner.windows) >= 6
        assert len(stage.runner.requests) == 1
