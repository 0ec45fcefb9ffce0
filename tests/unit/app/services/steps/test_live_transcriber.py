"""Looks of a live session: when the audio is transcribed, and what a failed or late transcription costs."""

from __future__ import annotations

from dataclasses import replace

from app.domain.live import ItemCompleted, ItemFailed, ItemText, LiveSettings, SpeechStopped
from engines.errors import EngineError
from engines.types import TranscribeOptions
from tests.support.live_stage import MANUAL, TURN, WIDE, completed, staged
from tests.support.waiting import stays, until


async def test_words_are_told_while_the_speaker_speaks() -> None:
    async with staged() as stage:
        await stage.hear("speech", 4)
        await until(lambda: stage.of(ItemText), 5, "a delta")
        assert not stage.of(SpeechStopped)


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


async def test_speech_that_comes_during_a_look_does_not_make_the_next_one_early() -> None:
    """Two looks at nearly the same audio agree on the same mistakes, and cost twice as much."""
    async with staged(gate=False) as stage:
        await stage.hear("speech", 1)
        await until(lambda: stage.runner.windows, 20, "a look")
        await stage.hear("speech", 0.4)
        stage.runner.gate.set()
        await stays(lambda: len(stage.runner.windows) == 1)
        await stage.hear("speech", 0.5)
        await until(lambda: len(stage.runner.windows) == 2, 20, "the next look")
        assert stage.runner.windows[1].end - stage.runner.windows[0].end >= 0.7


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


async def test_the_last_look_of_a_turn_takes_the_place_of_one_that_still_waits() -> None:
    """A person who has finished speaking waits for the last look, and it includes the audio of the other."""
    async with staged() as stage:
        await stage.hear("speech", 3)
        await until(lambda: stage.of(ItemText), 20, "a delta")
        stage.runner.gate.clear()
        seen = len(stage.runner.windows)
        await stage.hear("speech", 2.5)
        await until(lambda: len(stage.runner.windows) > seen, 20, "a look in the queue")
        stage.session.commit()
        await until(lambda: stage.runner.urgent[-1], 20, "the last look, in the queue")
        assert stage.runner.given_up == 1
        stage.runner.gate.set()
        await completed(stage)
        assert stage.texts() == ["w0 w1 w2 w3 w4"]


async def test_a_look_that_the_model_has_begun_is_not_given_up_at_the_end_of_its_turn() -> None:
    async with staged(gate=False) as stage:
        stage.runner.begun = True
        await stage.hear("speech", 3)
        await until(lambda: stage.runner.windows, 20, "a look")
        stage.session.commit()
        await stays(lambda: stage.runner.urgent == [False])
        stage.runner.gate.set()
        await completed(stage)
        assert stage.runner.given_up == 0
        assert stage.texts() == ["w0 w1 w2"]


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


async def test_an_early_look_that_fails_in_any_way_does_not_end_its_item() -> None:
    """The person still speaks: what is said later is transcribed, and the item ends once, at its end."""
    async with staged() as stage:
        stage.runner.failures.append(RuntimeError("a fault of the server"))
        await stage.hear("speech", 3)
        await until(lambda: not stage.runner.failures, 20, "the failed look")
        await stage.hear("speech", 2)
        await stage.hear("silence", 1)
        await completed(stage)
        assert stage.names() == TURN
        assert stage.texts() == ["w0 w1 w2 w3 w4"]


async def test_a_look_that_failed_is_not_repeated_before_there_is_new_speech() -> None:
    async with staged() as stage:
        stage.runner.failures += [EngineError("no")] * 50
        await stage.hear("speech", 2)
        await until(lambda: stage.runner.windows, 20, "a look")
        await stage.hear("speech", 2)
        assert len(stage.runner.windows) <= 5, "one for each 0.8 s of speech"
        stage.runner.failures.clear()
        await stage.hear("silence", 1)
        await completed(stage)
        assert stage.texts() == ["w0 w1 w2 w3"]


async def test_words_that_were_told_fix_the_language_of_their_item() -> None:
    async with staged() as stage:
        await stage.hear("speech", 1)
        await until(lambda: stage.runner.windows, 20, "a look")
        await stage.hear("speech", 0.8)
        await until(lambda: stage.of(ItemText), 20, "a word")
        stage.runner.language = "cy"
        await stage.hear("speech", 4)
        await stage.hear("silence", 1)
        await completed(stage)
        assert {window.language for window in stage.runner.windows[2:]} == {"en"}
        (event,) = stage.of(ItemCompleted)
        assert isinstance(event, ItemCompleted)
        assert event.transcript.language
        assert event.transcript.language.code == "en"


async def test_a_single_language_of_several_counts_as_the_language() -> None:
    for languages, expected in ((("de",), "de"), (("de", "fr"), None)):
        async with staged(replace(MANUAL, languages=languages)) as stage:
            await stage.hear("speech", 1)
            stage.session.commit()
            await completed(stage)
            assert stage.runner.windows[0].language == expected


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
