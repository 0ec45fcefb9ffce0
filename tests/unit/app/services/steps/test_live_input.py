"""A live session that does less while nobody speaks: it tells, and loses, nothing else than before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.audio.steady_level import SteadyLevel
from app.domain.live import LiveSettings, SoundFormat, SpeechStarted, SpeechStopped
from tests.support.live_stage import Stage, completed, staged


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
@pytest.mark.parametrize("piece", [0.02, 0.1, 0.37])
async def test_resting_while_nobody_speaks_changes_no_event(
    monkeypatch: pytest.MonkeyPatch, rate: int, piece: float
) -> None:
    told = []
    for rests in (True, False):
        with monkeypatch.context() as patch:
            if not rests:
                patch.setattr(SteadyLevel, "holds", lambda *_: False)
            async with staged(LiveSettings(model="whisper-1", format=SoundFormat("pcm", rate))) as stage:
                await _three_turns(stage, rate, piece)
                told.append([replace(event, item="") for event in stage.of(SpeechStarted, SpeechStopped)])
    assert told[0] == told[1]
    assert [type(event) for event in told[0]] == [SpeechStarted, SpeechStopped] * 3


async def _three_turns(stage: Stage, rate: int, piece: float) -> None:
    """Speech after silences of several lengths; the session rests in the longer ones."""
    noise = np.random.default_rng(1).normal(0, 16, rate * 60)
    for quiet in (0.9, 7.3, 40.01):
        speech = np.full(2 * rate, 8000.0)
        sound = np.concatenate([noise[: round(quiet * rate)], speech]).astype("<i2").tobytes()
        step = round(piece * rate) * 2
        for at in range(0, len(sound), step):
            await stage.session.append(sound[at : at + step])
    await stage.session.append(noise[: 2 * rate].astype("<i2").tobytes())


async def test_a_commit_ends_what_the_session_slept_through() -> None:
    async with staged() as stage:
        await stage.hear("silence", 20)
        assert stage.session.rest > 0
        stage.session.commit()
        await completed(stage)
        assert stage.texts() == [""]
        assert stage.names() == ["ItemCommitted", "ItemCompleted"]


@pytest.mark.parametrize("piece", [0.1, 20.0])
async def test_a_slow_model_hears_a_turn_that_ended_before_a_long_silence(piece: float) -> None:
    """The session must not rest as long as the model needs the sound: it is dropped then."""
    async with staged(gate=False) as stage:
        await stage.hear("speech", 3)
        await stage.hear("silence", 12, piece=piece)
        await stage.hear("speech", 2)
        stage.runner.gate.set()
        await stage.hear("silence", 2)
        await completed(stage, 2)
        assert [len(text.split()) for text in stage.texts()] == [3, 2]
