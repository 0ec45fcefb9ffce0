"""Warming up: the libraries for text are loaded after the models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.services import speech
from app.services.speech import SpeechRules, SpeechService


def service(started: list[Callable[[], object]], language: str) -> SpeechService:
    voices = SimpleNamespace(all=lambda: [SimpleNamespace(voice=SimpleNamespace(language=language))])
    threads = SimpleNamespace(start=started.append)
    unused = cast("Any", None)
    rules = SpeechRules(ahead=1, loudness=-16.0)
    return SpeechService(
        unused, cast("Any", threads), cast("Any", voices), unused, loudness=unused, rules=rules
    )


@pytest.fixture(autouse=True)
def _short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "WARM_UP_PAUSE", 0.0)


async def test_the_models_come_first() -> None:
    started: list[Callable[[], object]] = []
    looks = iter([True, True, False])

    def loading() -> bool:
        assert not started
        return next(looks)

    await asyncio.wait_for(service(started, "en-US").warm_up(loading), 20)
    assert len(started) == 1


async def test_a_model_that_cannot_be_loaded_is_not_waited_for_without_end() -> None:
    started: list[Callable[[], object]] = []
    await asyncio.wait_for(service(started, "en-GB").warm_up(lambda: True), 20)
    assert len(started) == 1


async def test_voices_of_other_languages_need_no_english() -> None:
    started: list[Callable[[], object]] = []
    await asyncio.wait_for(service(started, "de-DE").warm_up(lambda: False), 20)
    assert started == []


async def test_what_loading_leaves_goes_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    returned: list[bool] = []
    monkeypatch.setattr(speech, "return_free_memory", lambda: returned.append(True))
    started: list[Callable[[], object]] = []
    await asyncio.wait_for(service(started, "en-US").warm_up(lambda: False), 20)
    started[0]()
    assert returned == [True]
