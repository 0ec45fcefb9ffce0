"""Live sessions on a GPU, for `bench_gpu`: many that speak at once, at the pace of speech."""

from __future__ import annotations

import asyncio
import statistics

import numpy as np

from bench.gpu_figures import Figure, Load, percentile, with_use
from bench.gpu_watch import watched
from bench.live_client import COMPLETED, DELTA, FAILED, Seen, frames, hiss, opened, speak
from bench.stt_sides import Ours
from tests.support.sound import RATE, decode

LEAD_SECONDS, TAIL_SECONDS = 1.0, 3.0
STARTED = "input_audio_buffer.speech_started"


def live(server: Ours, load: Load, sessions: int) -> list[Figure]:
    """Each session says one clip; `completed` is counted from the end of its sound."""
    with watched() as use:
        seen = asyncio.run(_spoken(server, load, sessions))
    ends = LEAD_SECONDS + len(_clip(load)) / RATE
    done = [at - ends for one in seen for at, _ in one.of(COMPLETED)]
    begun = [
        deltas[0][0] - started[0][0]
        for one in seen
        if (deltas := one.of(DELTA)) and (started := one.of(STARTED))
    ]
    lost = sum(not one.of(COMPLETED) or bool(one.of(FAILED)) for one in seen)
    name = f"{sessions} live sessions"
    figures = [
        Figure(
            name=f"{name}: sessions without their text", unit="sessions", ours=lost, met=not lost, goal="none"
        ),
        Figure(name=f"{name}: client behind its clock", unit="s", ours=max(one.late for one in seen)),
    ]
    if begun:
        figures.append(
            Figure(
                name=f"{name}: first word after speech began, p50", unit="s", ours=statistics.median(begun)
            )
        )
    if done:
        late = Figure(name=f"{name}: text after speech ended, p95", unit="s", ours=percentile(done, 95))
        figures.append(with_use(late, use))
    return figures


def _clip(load: Load) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return decode(load.clip)


async def _spoken(server: Ours, load: Load, sessions: int) -> list[Seen]:
    sockets = [await opened(server.server) for _ in range(sessions)]
    pieces = frames(np.concatenate([hiss(LEAD_SECONDS), _clip(load), hiss(TAIL_SECONDS)]))

    async def one(number: int) -> Seen:
        await asyncio.sleep(number / sessions)  # people do not speak in step
        return await speak(sockets[number], pieces)

    seen = list(await asyncio.gather(*(one(number) for number in range(sessions))))
    for socket in sockets:
        await socket.close()
    return seen
