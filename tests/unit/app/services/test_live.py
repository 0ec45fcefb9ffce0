"""Opening live sessions: models that cannot be loaded, and the number of places."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.container import Container, builders
from app.domain.live import LiveSettings
from app.errors import ApiError, ModelUnavailable, Overloaded
from app.settings import Settings
from engines.errors import EngineError
from engines.types import EngineOptions
from tests.support.fake_engines import EchoTranscriber
from tests.support.migrated_database import migrated

WANTED = LiveSettings(model="whisper-1")


class Loader:
    """Loads an engine, unless it is broken."""

    def __init__(self) -> None:
        self.broken = True

    def __call__(self, folder: Path, options: EngineOptions) -> EchoTranscriber:
        if self.broken:
            raise EngineError("The weights are no weights.")
        return EchoTranscriber()


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
async def container(settings: Settings, loader: Loader) -> AsyncIterator[Container]:
    migrated(settings.database_url)
    made = Container(settings, lambda _: loader)
    yield made
    await made.close()


async def test_a_session_whose_model_cannot_be_loaded_is_refused_until_it_can(
    container: Container, loader: Loader
) -> None:
    live = container.services.live
    with pytest.raises(ApiError):
        await live.load("whisper-1")
    with pytest.raises(ModelUnavailable) as caught:
        await live.open(WANTED, lambda _: None)
    assert caught.value.retry_after
    assert "weights" not in caught.value.message
    assert container.runner.snapshot().requests == 0
    loader.broken = False
    session = await live.open(WANTED, lambda _: None)
    await session.close()


@pytest.mark.parametrize(
    ("cores", "requests", "places"), [(2, 64, 8), (64, 64, 32), (64, 256, 128), (2, 1, 1)]
)
def test_silent_sessions_leave_half_of_the_requests_to_others(
    monkeypatch: pytest.MonkeyPatch, cores: int, requests: int, places: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    sessions = builders.live_sessions(Settings.model_validate({"limits": {"requests": requests}}))
    with ExitStack() as stack:
        for _ in range(places):
            stack.enter_context(sessions.place())
        with pytest.raises(Overloaded):
            stack.enter_context(sessions.place())
