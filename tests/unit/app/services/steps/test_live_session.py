"""One live session: turns and items, an hour of silence, slow models, clients that leave in mid turn."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.domain.live import (
    ItemCommitted,
    ItemCompleted,
    ItemFailed,
    ItemText,
    LiveSettings,
    ServerTurns,
    SpeechStarted,
    SpeechStopped,
)
from app.errors import InvalidRequest
from app.services.steps import live_session
from engines.errors import EngineError
from engines.types import TranscribeOptions
from tests.support.live import WIDE, Stage, staged
from tests.support.waiting import until

TURN = ["SpeechStarted", "SpeechStopped", "ItemCommitted", "ItemCompleted"]
MANUAL = LiveSettings(model="whisper-1", format=WIDE, turns=None)


async def completed(stage: Stage, count: int = 1) -> None:
    await until(lambda: len(stage.of(ItemCompleted, ItemFailed)) >= count, 10, "the end of an item")


async def test_a_turn_is_told_in_order_and_its_text_is_that_of_its_deltas() -> None:
    async with staged() as stage:
        await stage.hear("silence", 1)
        await stage.hear("speech", 5)
        await stage.hear("silence", 1)
        await completed(stage)
        assert stage.names() == TURN
        told = "".join(word.text for event in stage.of(ItemText) for word in event.words)  # type: ignore[union-attr]
        assert stage.texts() == [told] == ["w1 w2 w3 w4 w5"]


async def test_words_are_told_while_the_speaker_speaks() -> None:
    async with staged() as stage:
        await stage.hear("speech", 4)
        await until(lambda: stage.of(ItemText), 5, "a delta")
        assert not stage.of(SpeechStopped)


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


async def test_while_a_look_waits_no_other_is_asked_for() -> None:
    async with staged(gate=False) as stage:
        await stage.hear("speech", 12)
        await until(lambda: stage.runner.windows, 5, "the first look")
        assert len(stage.runner.windows) == 1
        stage.runner.gate.set()
        await stage.hear("silence", 1)
        await completed(stage)
        assert stage.texts() == [" ".join(f"w{n}" for n in range(12))]
        assert len(stage.runner.windows) <= 4


async def test_the_last_look_of_a_turn_goes_before_others() -> None:
    async with staged() as stage:
        await stage.hear("speech", 3)
        await until(lambda: stage.of(ItemText), 5, "a delta")
        stage.runner.gate.clear()
        await stage.hear("speech", 1.5)
        stage.session.commit()
        stage.runner.gate.set()
        await completed(stage)
        assert stage.runner.urgent[-1]
        assert not any(stage.runner.urgent[:2])


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


async def test_a_failed_look_costs_nothing_and_a_failed_last_look_fails_its_item_only() -> None:
    async with staged() as stage:
        stage.runner.failures.append(EngineError("no"))
        await stage.hear("speech", 3)
        await until(lambda: not stage.runner.failures, 5, "the failed look")
        await stage.hear("speech", 2)
        await stage.hear("silence", 1)
        await completed(stage)
        assert stage.texts() == ["w0 w1 w2 w3 w4"]
        stage.runner.gate.clear()
        await stage.hear("speech", 1)
        stage.runner.failures += [EngineError("no"), EngineError("no"), EngineError("no")]
        stage.session.commit()
        stage.runner.gate.set()
        await until(lambda: stage.of(ItemFailed), 5, "the failure")
        stage.runner.failures.clear()
        await stage.hear("silence", 1)
        await stage.hear("speech", 2)
        await stage.hear("silence", 1)
        await completed(stage, 3)
        assert len(stage.texts()) == 2


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


async def test_a_session_is_one_request_for_the_fair_share() -> None:
    async with staged() as stage:
        for number in range(3):
            await stage.hear("speech", 3)
            await stage.hear("silence", 1)
            await completed(stage, number + 1)
        assert len(stage.runner.windows) >= 6
        assert len(stage.runner.requests) == 1


async def test_exact_times_of_words_are_asked_for_only_where_the_audio_may_be_cut() -> None:
    async with staged() as stage:
        await stage.hear("speech", 10)
        await until(lambda: len(stage.runner.options) >= 3, 10, "three looks")
        assert not any(options.words for options in stage.runner.options)
        await stage.hear("speech", 8)
        await until(lambda: any(options.words for options in stage.runner.options), 10, "a look at 12 s")


async def test_looks_have_a_beam_until_the_first_word_is_told() -> None:
    """Before that, a look is the only chance to hear those words right: afterwards they stay."""
    async with staged() as stage:
        await stage.hear("speech", 10)
        await until(lambda: len(stage.runner.options) >= 3, 10, "three looks")
        beams = [options.beam_size for options in stage.runner.options]
        assert beams[0] == beams[1] == TranscribeOptions().beam_size
        assert beams[-1] == 1
        assert stage.of(ItemText)


async def test_a_language_without_spaces_needs_the_times_of_its_words() -> None:
    async with staged(LiveSettings(model="whisper-1", format=WIDE, language="ja")) as stage:
        await stage.hear("speech", 5)
        await until(lambda: stage.runner.options, 10, "a look")
        assert all(options.words for options in stage.runner.options)
