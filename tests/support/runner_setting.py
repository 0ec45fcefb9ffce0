"""A runner with models whose engines obey scripts, in whatever placement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import numpy as np

from app.domain import ModelKind, ModelSpec
from app.models.weights import WeightsStore
from app.runtime.admission import Admission, Permit
from app.runtime.batching import BatchLimits
from app.runtime.blocking_work import WorkThreads
from app.runtime.lane_runner import LaneRunner, RunnerRules
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.model_orders import EngineSettings
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, TranscribeOptions, Window
from engines.work import Place
from tests.support.waiting import until

OPTIONS = TranscribeOptions()
SECOND = Pcm(np.zeros(SAMPLE_RATE, np.float32))


class Setting:
    """A runner, and a model of each kind."""

    def __init__(self, place: Place, folder: Path, models: Path | None = None) -> None:
        """`models`: their folder, if their engines stay from one test to the next."""
        self.folder, self.models = folder, models or folder
        self.suffix = ""
        """Of the names of models."""
        self.admission = Admission(1_000, 30.0)
        self.shortage = MemoryShortage()
        self.threads = WorkThreads(2)
        defaults = EngineSettings(
            transcription=EngineOptions(), speech=EngineOptions(), diarization=EngineOptions()
        )
        self.runner = LaneRunner(
            WeightsStore(folder / "weights", hub=""),
            self.admission,
            defaults,
            RunnerRules(batch=BatchLimits(rows=4)),
            place=place,
            threads=self.threads,
            shortage=self.shortage,
        )

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[Self]:
        """Afterwards the model may go on (see `occupied`), and everything is closed."""
        yield self
        self.go()
        await asyncio.to_thread(self.runner.close)
        self.threads.close()

    def model(self, kind: ModelKind) -> ModelSpec:
        name = kind + self.suffix
        folder = self.models / name
        folder.mkdir(exist_ok=True)
        return ModelSpec(name, kind, "scripted", folder, 0, "")

    def path(self, name: str) -> Path:
        return self.folder / name

    async def say(self, permit: Permit, start: float = 0.0, prompt: str = "") -> str:
        window = Window(SECOND, start=start, prompt=prompt)
        result = await self.runner.transcribe(self.model("transcription"), window, OPTIONS, permit)
        return result.segments[0].text

    async def occupied(self, permit: Permit | None = None) -> asyncio.Task[str]:
        """The model is at work until the file `go` exists."""
        script = f"touch:{self.path('begun')} wait:{self.path('go')}"
        task = asyncio.create_task(self.say(permit or self.runner.admit(), prompt=script))
        await until(self.path("begun").exists)
        return task

    def go(self) -> None:
        self.path("go").touch()
