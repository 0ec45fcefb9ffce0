"""Live transcription: opens sessions, within bounds.

Law: what a session does stands in `steps/live_session`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.domain import ModelSpec
from app.domain.live import LiveEvent, LiveSettings
from app.errors import ApiError, ModelUnavailable, Overloaded, ShuttingDown
from app.models.registry import Registry
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.steps.live_memory import SoundClaim
from app.services.steps.live_session import LiveRules, LiveSession

LOAD_SECONDS = 20.0
"""A client that opens a session waits at most so many seconds for a model that could not be loaded before."""


class LiveService:
    """Opens live sessions."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        registry: Registry,
        rules: LiveRules,
        names: tuple[str, ...],
    ) -> None:
        """`names`: other names by which clients may ask for the default model."""
        self._runner = runner
        self._threads = threads
        self._registry = registry
        self._names = names
        self.rules = rules

    @property
    def defaults(self) -> LiveSettings:
        return LiveSettings(model=self.rules.model)

    def model(self, name: str) -> ModelSpec:
        """The model for a name. Raises `ModelNotFound`, or `InvalidValue` if the model
        does not transcribe.
        """
        return self._registry.resolve(self.rules.model if name in self._names else name, "transcription")

    async def open(self, settings: LiveSettings, tell: Callable[[LiveEvent], None]) -> LiveSession:
        """Opens a session, which the caller must close. Raises `ApiError`."""
        model = self.model(settings.model)
        permit = self._runner.admit()
        try:
            await self._check(model, permit)
            claim = SoundClaim(permit)
            stream = await self._threads.run(self._runner.detect)
            return LiveSession(
                self._runner, self._threads, self.model, self.rules, permit, claim, stream, settings, tell
            )
        except BaseException:
            permit.close()
            raise

    async def _check(self, model: ModelSpec, permit: Permit) -> None:
        """Tries once more to load a model that could not be loaded. Raises `ApiError` with the status 503."""
        if self._runner.state(model) != "failed":
            return
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                await self._runner.load(model, permit)
        except (ApiError, TimeoutError) as failure:
            if isinstance(failure, ApiError) and failure.status == ModelUnavailable.status:
                raise
            message = f"The model `{model.id}` cannot be loaded at the moment."
            raise ModelUnavailable(message, param="model") from failure

    async def load(self, name: str) -> None:
        """Returns when the model of that name is in memory. Raises `ApiError`."""
        with self._runner.admit() as permit:
            await self._runner.load(self.model(name), permit)


class LiveSessions:
    """Counts the open sessions, and tells them when the server stops."""

    def __init__(self, most: int) -> None:
        """`most`: the most sessions at the same time."""
        self._most = most
        self.count = 0
        self.stopping = asyncio.Event()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Counts a session as open within the `with` block. Raises `Overloaded` or `ShuttingDown`."""
        if self.stopping.is_set():
            raise ShuttingDown
        if self.count >= self._most:
            raise Overloaded(10)
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
