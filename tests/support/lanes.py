"""Lanes over engines that need no weights, as the runner makes them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from app.runtime.admission import Admission, Permit
from app.runtime.batching import BatchLimits
from app.runtime.lane import Lane
from app.runtime.threads_placement import TranscriberHost
from engines.contracts import Transcriber
from engines.types import Pcm, TranscribeOptions, Window, WindowResult
from engines.work import Transcribe

OPTIONS = TranscribeOptions()


def window(seconds: float = 1.0) -> Window:
    return Window(Pcm(np.zeros(int(16_000 * seconds), np.float32)))


def permits(seconds: float = 60.0) -> Callable[[], Permit]:
    """A function that makes permits, each for another request that may take `seconds`."""
    return Admission(10_000, seconds).admit


def submit(
    lane: Lane, sound: Window, permit: Permit, options: TranscribeOptions = OPTIONS
) -> Future[WindowResult]:
    work = Transcribe((sound,), options)
    return lane.submit(work, key=options, seconds=sound.pcm.seconds, permit=permit)


def lane_of(engine: Transcriber, rows: int = 1, **how: object) -> Lane:
    return Lane("test", lambda: TranscriberHost(engine), limits=BatchLimits(rows=rows), **how)  # type: ignore[arg-type]  # passed on
