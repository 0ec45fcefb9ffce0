"""Windows of one recording: how many are in work at once, and whose language counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from app.audio.cut_windows import Cut
from app.domain import ModelSpec, TranscriptionJob
from app.errors import ModelUnavailable
from app.runtime.admission import Permit
from app.runtime.runner import RowWatch
from app.services.steps.transcribe_windows import SharedWork, WindowTranscriber
from engines.types import LanguageGuess, TranscribeOptions, Window, WindowResult
from tests.support.fake_runner import FakeRunner

MODEL = ModelSpec("m", "transcription", "fake", Path(), 0, "")


@dataclass
class Languages(FakeRunner):
    """Detects the language of each window by its start, and notes how many windows were in work at once."""

    text: str = "words"
    spoken: dict[float, str] = field(default_factory=dict)
    silent: frozenset[float] = frozenset()
    unsure: dict[float, float] = field(default_factory=dict)
    """How likely the languages of windows are, by their starts, where they are not sure."""
    failing: float | None = None
    """The start of a window that fails."""
    running: int = 0
    most: int = 0

    async def transcribe(
        self,
        model: ModelSpec,
        window: Window,
        options: TranscribeOptions,
        permit: Permit,
        *,
        urgent: bool = False,
        watch: RowWatch | None = None,
    ) -> WindowResult:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        if window.start == self.failing:
            raise ModelUnavailable("it is gone")
        result = await super().transcribe(model, window, options, permit, urgent=urgent, watch=watch)
        self.running -= 1
        code = window.language or self.spoken.get(window.start, "en")
        result = replace(result, language=LanguageGuess(code, self._likely(window)))
        return replace(result, segments=()) if window.start in self.silent else result

    def _likely(self, window: Window) -> float:
        return 1.0 if window.language else self.unsure.get(window.start, 1.0)


async def transcribed(
    runner: Languages,
    count: int,
    *,
    ahead: int = 6,
    language: str | None = None,
    together: SharedWork | None = None,
    told: list[float] | None = None,
) -> str:
    """The language of a recording of `count` windows of a second each."""
    together = together or SharedWork(8)

    async def cuts() -> AsyncGenerator[Cut, None]:
        for number in range(count):
            yield Cut(float(number), np.zeros(16_000, np.float32))

    job = TranscriptionJob(model="m", language=language)
    options = TranscribeOptions()
    with runner.admit() as permit:
        steps = WindowTranscriber(
            runner, MODEL, job, options, permit, ahead=ahead, together=together, longest=30.0
        )
        starts = [] if told is None else told
        async for some in steps.segments(cuts()):
            starts += [segment.start for segment in some]
    assert starts == [number for number in range(count) if number not in runner.silent]
    found = steps.transcript(float(count)).language
    assert found
    return found.code


def asked(runner: Languages) -> list[tuple[float, str | None]]:
    return [(window.start, window.language) for window in runner.windows]


async def test_two_windows_begin_before_the_language_is_known() -> None:
    runner = Languages(spoken=dict.fromkeys(range(5), "de"))
    assert await transcribed(runner, 5) == "de"
    assert asked(runner) == [(0, None), (1, None), (2, "de"), (3, "de"), (4, "de")]


async def test_a_window_of_another_language_is_transcribed_again_in_the_first_ones() -> None:
    runner = Languages(spoken={0: "de", 1: "nl"})
    assert await transcribed(runner, 3) == "de"
    assert sorted(asked(runner), key=str) == sorted([(0, None), (1, None), (1, "de"), (2, "de")], key=str)


async def test_a_window_without_text_tells_no_language() -> None:
    runner = Languages(spoken={0: "cy", 1: "fr", 2: "it"}, silent=frozenset({0}))
    assert await transcribed(runner, 4) == "fr"
    assert (2, "fr") in asked(runner)


async def test_a_first_window_that_is_not_sure_has_the_language_of_the_second() -> None:
    runner = Languages(spoken={0: "ar", 1: "en", 2: "en"}, unsure={0: 0.2, 1: 0.9})
    assert await transcribed(runner, 3) == "en"
    assert sorted(asked(runner), key=str) == sorted([(0, None), (0, "en"), (1, None), (2, "en")], key=str)


@pytest.mark.parametrize("others", [0, 7, 50])
async def test_the_language_does_not_depend_on_others(others: int) -> None:
    runner = Languages(spoken={0: "ar", 1: "en", 2: "en"}, unsure={0: 0.2, 1: 0.9})
    assert await transcribed(runner, 3, together=SharedWork(8, recordings=others)) == "en"


@pytest.mark.parametrize("unsure", [{0: 0.5, 1: 0.9}, {0: 0.4, 1: 0.3}, {0: 0.2, 1: 0.45}])
async def test_the_second_window_counts_if_it_alone_is_sure(unsure: dict[float, float]) -> None:
    runner = Languages(spoken={0: "ar", 1: "en", 2: "en"}, unsure=unsure)
    assert await transcribed(runner, 3) == "ar"


async def test_a_second_window_without_text_tells_no_language() -> None:
    runner = Languages(spoken={0: "ar", 1: "en", 2: "en"}, unsure={0: 0.2}, silent=frozenset({1}))
    assert await transcribed(runner, 3) == "ar"


async def test_a_first_window_that_is_not_sure_is_told_though_the_second_one_fails() -> None:
    runner = Languages(spoken={0: "ar"}, unsure={0: 0.2}, failing=1.0)
    told: list[float] = []
    with pytest.raises(ModelUnavailable):
        await transcribed(runner, 2, told=told)
    assert told == [0]


async def test_a_single_window_that_is_not_sure_tells_the_language() -> None:
    runner = Languages(spoken={0: "ar"}, unsure={0: 0.2})
    assert await transcribed(runner, 1) == "ar"
    assert asked(runner) == [(0, None)]


async def test_a_known_language_lets_all_begin() -> None:
    runner = Languages()
    assert await transcribed(runner, 8, language="es") == "es"
    assert (runner.most, set(asked(runner))) == (6, {(number, "es") for number in range(8)})


async def test_one_at_a_time_stays_one_at_a_time() -> None:
    runner = Languages()
    await transcribed(runner, 4, ahead=1)
    assert runner.most == 1
    assert [language for _, language in asked(runner)] == [None, "en", "en", "en"]


async def test_of_many_recordings_each_has_fewer_windows_in_work() -> None:
    for others, most in ((2, 3), (6, 2), (7, 1), (30, 1)):
        together = SharedWork(8, recordings=others, seconds=8.0)
        runner = Languages()
        await transcribed(runner, 8, language="es", together=together)
        assert runner.most == most
        assert (together.recordings, together.seconds) == (others, 8.0)


async def test_recordings_whose_work_waits_elsewhere_leave_it_to_others() -> None:
    for seconds, most in ((0.0, 6), (5.0, 3), (7.0, 1)):
        runner = Languages()
        together = SharedWork(8, recordings=30, seconds=seconds)
        await transcribed(runner, 8, language="es", together=together)
        assert runner.most == most
        assert together.seconds == seconds


async def test_a_recording_that_fails_gives_its_share_back() -> None:
    together = SharedWork(8)
    with pytest.raises(ModelUnavailable):
        await transcribed(Languages(failing=1.0), 5, together=together)
    assert (together.recordings, together.seconds) == (0, 0.0)


async def test_a_recording_that_is_alone_has_as_many_windows_as_it_may() -> None:
    runner = Languages()
    await transcribed(runner, 8, language="es", together=SharedWork(1))
    assert runner.most == 6
