"""Turns whose end depends on their text (`semantic_vad`)."""

from __future__ import annotations

from app.domain.live import LiveSettings, SemanticTurns, SpeechStopped
from tests.support.live_stage import WIDE, Stage, staged
from tests.support.waiting import until

SEMANTIC = LiveSettings(model="whisper-1", format=WIDE, turns=SemanticTurns("low"))
"""A turn whose text ends no sentence ends after two seconds of silence."""


async def everything_looked_at(stage: Stage) -> None:
    await until(lambda: stage.session._open and stage.session._open.behind == 0, 20, "the look")


async def test_a_semantic_turn_ends_soon_where_its_text_ends_a_sentence() -> None:
    for ending in ("", "."):
        async with staged(SEMANTIC) as stage:
            stage.runner.ending = ending
            await stage.hear("speech", 3)
            await stage.hear("silence", 0.4)
            await everything_looked_at(stage)
            assert not stage.of(SpeechStopped)
            await stage.hear("silence", 0.1)
            assert bool(stage.of(SpeechStopped)) == (ending == ".")
            await stage.hear("silence", 1.3)
            assert bool(stage.of(SpeechStopped)) == (ending == ".")
            await stage.hear("silence", 0.8)
            assert stage.of(SpeechStopped)


async def test_a_pause_after_the_text_of_older_speech_does_not_end_a_semantic_turn() -> None:
    """The text so far ended a sentence, and the person went on. Whether this one ended is not known yet."""
    async with staged(SEMANTIC) as stage:
        stage.runner.ending = "."
        await stage.hear("speech", 3)
        await until(lambda: stage.session._open and stage.session._open.said.endswith("."), 20, "a text")
        stage.runner.gate.clear()
        await stage.hear("speech", 1)
        await stage.hear("silence", 0.8)
        assert not stage.of(SpeechStopped)
        stage.runner.gate.set()
        await everything_looked_at(stage)
        await stage.hear("silence", 0.1)
        assert stage.of(SpeechStopped)
