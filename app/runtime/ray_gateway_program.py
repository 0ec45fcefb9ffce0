"""The program of the gateway: the one process of a server that is a client of a Ray cluster.

Law: forwards each work item to a replica and its answer to the server, and stores neither. Ray ends a process
that holds handles 60 seconds after the head of the cluster is lost; this process may end, the server may not.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from app.runtime.child_guard import guard
from app.runtime.child_messages import Failure
from app.runtime.pipe import SMALL_BYTES, Frame, FrameKind, Pipe
from app.runtime.ray_join import join
from app.runtime.ray_messages import packed_bytes
from app.runtime.ray_models import ServeClient


class GatewayServer:
    """Answers the calls that the server sends in frames; any number of them run at the same time."""

    def __init__(self, pipe: Pipe, client: ServeClient) -> None:
        self._pipe, self._client = pipe, client
        self._loop = asyncio.new_event_loop()
        self._calls: dict[int, Future[None]] = {}
        """The running calls, by their numbers."""
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self) -> None:
        """Runs until the server closes the pipe or sends `CLOSE`."""
        while (frame := self._pipe.receive()) and frame.kind != FrameKind.CLOSE:
            if frame.kind == FrameKind.DROP:
                if call := self._calls.pop(frame.call, None):
                    call.cancel()
                continue
            call = asyncio.run_coroutine_threadsafe(self._answer(frame), self._loop)
            self._calls[frame.call] = call
            call.add_done_callback(partial(self._ended, frame.call))

    def _ended(self, number: int, _: Future[None]) -> None:
        self._calls.pop(number, None)

    async def _answer(self, frame: Frame) -> None:
        try:
            kind, value = FrameKind.DONE, await frame.value.by(self._client)
        except Exception as error:  # noqa: BLE001 - told to whoever asked
            kind, value = FrameKind.FAILED, Failure.of(error)
        with suppress(OSError):  # the server has ended, and this process ends too
            if isinstance(value, tuple) and packed_bytes(value) > SMALL_BYTES:
                await asyncio.to_thread(self._pipe.send, frame.call, kind, value)  # waits for the server
            else:
                self._pipe.send(frame.call, kind, value)


def main() -> None:
    """Arguments: the id of the server's process, the descriptors of the socket and of the shared memory."""
    guard(int(sys.argv[1]))
    pipe = Pipe.inherited(*map(int, sys.argv[2:]))
    first = pipe.receive()
    if first is None:
        return
    try:
        join(first.value.rules.address)
    except Exception as error:  # noqa: BLE001 - told to the server
        pipe.send(first.call, FrameKind.FAILED, Failure.of(error))
        return
    pipe.send(first.call, FrameKind.DONE, None)
    GatewayServer(pipe, ServeClient(first.value)).run()
    os._exit(0)  # a regular exit of Ray would wait for the cluster, which may be gone


if __name__ == "__main__":
    main()
