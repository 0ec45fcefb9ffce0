"""The program of the gateway: the one process of a server that is a client of a Ray cluster.

Law: forwards each work item to a replica and its answer to the server, and stores neither. Ray ends a process
that holds handles 60 seconds after the head of the cluster is lost; this process may end, the server may not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from app.runtime.child_guard import guard
from app.runtime.child_values import Failure
from app.runtime.pipe import Frame, FrameKind, Pipe
from app.runtime.ray_deployment import model_app
from app.runtime.ray_orders import DEPLOYMENT
from app.runtime.ray_values import AppState, ConnectTo, DoOn, LoadOn, PackedArray, StatesOf
from engines.errors import ClusterDown, EngineDied, EngineError
from engines.work import Order

log = logging.getLogger("ray gateway")
PROBE_SECONDS = 3.0
CONNECT_SECONDS = 60
"""Seconds after which an attempt to connect is given up; Ray itself goes on for minutes."""
CHECK_SECONDS = 0.2
"""Seconds between two checks of a model that is being started."""
RETRY_SECONDS = 5.0
"""Seconds in `Retry-After` if no better estimate is known."""
CHECK_ALIVE = "/ray.rpc.NodeInfoGcsService/CheckAlive"
ILL_SECONDS = 30.0
"""If the replicas of a model end again and again for so many seconds, its requests are refused at once, until
a replica runs.
"""
FAILED = "DEPLOY_FAILED"


def connect(address: str) -> None:
    """Joins the cluster. Raises `ClusterDown` if that fails, or if the cluster accepts clients without a
    token.
    """
    _probe(address)
    import ray.serve  # sets levels of its loggers, so it comes before ours

    timer = threading.Timer(CONNECT_SECONDS, _give_up)
    timer.daemon = True
    timer.start()
    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    host = address.rpartition(":")[0]
    try:
        ray.init(
            address,
            namespace="antiphon",
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address=host if host.startswith("127.") else None,
        )
    except Exception as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says enough
        raise ClusterDown("it cannot be joined", RETRY_SECONDS) from error


def _give_up() -> None:
    import ray

    if not ray.is_initialized():
        os._exit(1)


def _probe(address: str) -> None:
    """Checks that the head of the cluster refuses a connection without a token."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(CHECK_ALIVE)(b"", timeout=PROBE_SECONDS)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAUTHENTICATED:
                return
            raise ClusterDown(f"its head at {address} does not answer", RETRY_SECONDS) from error
    raise ClusterDown(
        "it asks for no token, so that anyone may run code there: RAY_AUTH_MODE=token belongs to each node",
        RETRY_SECONDS,
    )


class ServeClient:
    """Finds the models of a cluster, deploys those that are missing, and forwards work to them."""

    def __init__(self, first: ConnectTo) -> None:
        self._first = first
        self._starting: dict[str, asyncio.Lock] = {}
        self._handles: dict[str, Any] = {}
        self._ill_since: dict[str, float] = {}
        """For each model whose replicas all ended: the time since when none runs."""
        self._thread = ThreadPoolExecutor(1)
        """The thread for blocking functions of Ray Serve, which must not be called from two threads at a
        time.
        """

    async def load(self, question: LoadOn) -> PackedArray:
        handle = await self._handle(question.app, question.order, question.patience)
        return await self._answer(question.app, handle.load.remote(), question.patience)

    async def do(self, question: DoOn) -> PackedArray:
        handle = await self._handle(question.app, question.order, question.patience)
        answer = handle.do.remote(question.work, question.alone)
        return await self._answer(question.app, answer, question.patience)

    async def look(self, question: StatesOf) -> dict[str, AppState]:
        """The states of the models. The handle of a deleted model is dropped, so that the next call deploys
        it again.
        """
        found = await self._states()
        for app in set(self._handles) - set(found):
            del self._handles[app]
        for app in question.apps:
            state = found.get(app, AppState())
            if state.replicas or state.problem != "UNHEALTHY":
                self._ill_since.pop(app, None)
            elif self._is_ill(app):
                self._handles.pop(app, None)
            else:
                self._ill_since.setdefault(app, time.monotonic())
        return {app: found.get(app, AppState()) for app in question.apps}

    async def _answer(self, app: str, response: Any, patience: float) -> PackedArray:
        """Waits for the answer of a replica. Raises `EngineError`: `EngineDied` if the replica ended. The
        lane in the server decides which rows are tried again.
        """
        from ray import exceptions
        from ray.serve.exceptions import RayServeException

        try:
            answer: PackedArray = await asyncio.wait_for(response, patience)
        except asyncio.CancelledError:
            response.cancel()
            raise
        except TimeoutError:
            response.cancel()
            raise EngineError("The work took longer than its request may take.") from None
        except (exceptions.RayActorError, exceptions.ObjectLostError, exceptions.WorkerCrashedError) as error:
            raise EngineDied("its replica ended") from error
        except RayServeException as error:
            self._handles.pop(app, None)
            raise ClusterDown("the model is not deployed", RETRY_SECONDS) from error
        return answer

    async def _handle(self, app: str, order: Order, patience: float) -> Any:
        """The handle of a model, once a replica of it runs."""
        async with self._starting.setdefault(app, asyncio.Lock()):
            if app not in self._handles:
                try:
                    async with asyncio.timeout(patience):
                        self._handles[app] = await self._started(app, order)
                except TimeoutError:
                    raise ClusterDown("no machine of it has room for the model", RETRY_SECONDS) from None
            return self._handles[app]

    async def _started(self, app: str, order: Order) -> Any:
        from ray import serve

        found = (await self._states()).get(app)
        if found is None or found.problem == FAILED:
            await self._run(model_app, app, order, self._first)
        while not (state := (await self._states()).get(app, AppState())).replicas:
            if state.problem == FAILED or self._is_ill(app):
                raise ClusterDown("no replica of the model can be started", RETRY_SECONDS)
            await asyncio.sleep(CHECK_SECONDS)
        return await self._run(serve.get_deployment_handle, DEPLOYMENT, app)

    def _is_ill(self, app: str) -> bool:
        """Whether the replicas of a model have kept ending for `ILL_SECONDS`."""
        now = time.monotonic()
        return now - self._ill_since.get(app, now) > ILL_SECONDS

    async def _states(self) -> dict[str, AppState]:
        from ray import serve

        status = await self._run(serve.status)
        return {
            name: _state(found) for name, found in status.applications.items() if found.status != "DELETING"
        }

    async def _run(self, step: Any, *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step, *arguments)


def _state(app: Any) -> AppState:
    deployment = app.deployments.get(DEPLOYMENT)
    if deployment is None:
        return AppState(problem=str(app.status.value))
    running = sum(count for state, count in deployment.replica_states.items() if state == "RUNNING")
    return AppState(running, str(deployment.status.value))


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
            await asyncio.to_thread(self._pipe.send, frame.call, kind, value)


def main() -> None:
    """Arguments: the id of the server's process, the number of the inherited socket."""
    guard(int(sys.argv[1]))
    pipe = Pipe(socket.socket(fileno=int(sys.argv[2])))
    first = pipe.receive()
    if first is None:
        return
    try:
        connect(first.value.rules.address)
    except Exception as error:  # noqa: BLE001 - told to the server
        pipe.send(first.call, FrameKind.FAILED, Failure.of(error))
        return
    pipe.send(first.call, FrameKind.DONE, None)
    GatewayServer(pipe, ServeClient(first.value)).run()
    os._exit(0)  # a regular exit of Ray would wait for the cluster, which may be gone


if __name__ == "__main__":
    main()
