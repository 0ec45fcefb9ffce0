"""The models of a Ray cluster as one server sees them: finds them, deploys what is missing, and sends work.

Law: runs in the gateway, on one event loop; forwards work and answers without reading them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from app.runtime.ray_deployment import begin_deploying, end_deploying, model_app, note_of
from app.runtime.ray_deployment_options import DEPLOYMENT, calls_of, fingerprint
from app.runtime.ray_join import RETRY_SECONDS
from app.runtime.ray_messages import AppState, ConnectTo, DoOn, LoadOn, PackedValue, StatesOf
from engines.errors import SIGKILL, ClusterDown, EngineDied, EngineError
from engines.work import Order

log = logging.getLogger("ray gateway")
CHECK_SECONDS = 0.2
"""Seconds between two checks of a model that is being started."""
ILL_SECONDS = 30.0
"""If the replicas of a model end again and again for so many seconds, its requests are refused at once, until
a replica runs.
"""
DEPLOY_SECONDS = 60.0
"""Seconds after which another server that began to deploy a model counts as gone."""
FAILED = "DEPLOY_FAILED"
UNPLACED = "to be scheduled"
"""Ray Serve's words, after 30 s, for a replica for which no machine has room."""
NO_ROOM = "no machine of it has room for the model, of which each replica reserves {}"
CRASHED = "Worker exit type: SYSTEM_ERROR"
"""Ray's words for a process that ended without being asked to."""


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """What calls a deployed model. It is kept, because making it takes longer than some calls."""

    load: Any
    do: Any


@dataclass(slots=True)
class TakenCall:
    """A call that a replica has taken."""

    replica: Any
    ahead: int
    """The calls that the replica had before it."""
    followed: bool = False
    """Whether the replica has taken another call of this server since."""


TAKEN: dict[str, TakenCall] = {}
"""The calls of this server that replicas have, by their names in Ray Serve."""


def note_taken(name: str, replica: Any, ahead: int) -> None:
    """Called by the router when a replica has taken a call."""
    for other in TAKEN.values():
        other.followed = other.followed or other.replica == replica
    TAKEN[name] = TakenCall(replica, ahead)


class ServeClient:
    """Finds the models of a cluster, deploys those that are missing, and forwards work to them."""

    def __init__(self, first: ConnectTo) -> None:
        self._first = first
        self._starting: dict[str, asyncio.Lock] = {}
        self._models: dict[str, ModelCalls] = {}
        self._ill_since: dict[str, float] = {}
        """For each model whose replicas all ended: the time since when none runs."""
        self._thread = ThreadPoolExecutor(1)
        """The thread for blocking functions of Ray Serve, which must not be called from two threads at a
        time.
        """

    async def load(self, question: LoadOn) -> PackedValue:
        model = await self._model(question.app, question.order, question.patience)
        return await self._answer(question.app, model.load.remote(), question.patience)

    async def do(self, question: DoOn) -> PackedValue:
        model = await self._model(question.app, question.order, question.patience)
        answer = model.do.remote(question.work, question.alone)
        calls = 0 if question.alone else calls_of(question.order)
        return await self._answer(question.app, answer, question.patience, calls)

    async def look(self, question: StatesOf) -> dict[str, AppState]:
        """The states of the models. The calls of a deleted model are dropped, so that the next question
        deploys it again.
        """
        try:
            found = await self._states()
        except Exception as error:
            why = f"it does not tell its models ({type(error).__name__})"
            raise ClusterDown(why, RETRY_SECONDS) from error
        for app in set(self._models) - set(found):
            del self._models[app]
        for app in question.apps:
            state = found.get(app, AppState())
            if state.replicas or state.problem != "UNHEALTHY":
                self._ill_since.pop(app, None)
            elif self._is_ill(app):
                self._models.pop(app, None)
            else:
                self._ill_since.setdefault(app, time.monotonic())
        return {app: found.get(app, AppState()) for app in question.apps}

    async def _answer(self, app: str, response: Any, patience: float, calls: int = 0) -> PackedValue:
        """Waits for the answer of a replica. Raises `EngineError`: `EngineDied` if the replica ended. The
        lane in the server decides which rows are tried again. `calls`: that the replica does at the same
        time; 0: it does this one alone.
        """
        from ray.exceptions import RayError
        from ray.serve.exceptions import RayServeException

        try:
            answer: PackedValue = await asyncio.wait_for(response, patience)
        except asyncio.CancelledError:
            response.cancel()
            raise
        except TimeoutError:
            response.cancel()
            raise EngineError("The work took longer than its request may take.") from None
        except RayServeException as error:
            self._models.pop(app, None)
            raise ClusterDown("the model is not deployed", RETRY_SECONDS) from error
        except RayError as error:
            if died := death_of(error, began=_began(TAKEN.get(response.request_id), calls)):
                raise died from error
            raise
        finally:
            TAKEN.pop(response.request_id, None)
        return answer

    async def _model(self, app: str, order: Order, patience: float) -> ModelCalls:
        """The calls of a model, once a replica of it runs."""
        async with self._starting.setdefault(app, asyncio.Lock()):
            if app not in self._models:
                try:
                    async with asyncio.timeout(patience):
                        handle = await self._started(app, order)
                except TimeoutError:
                    raise ClusterDown("no replica of the model runs yet", RETRY_SECONDS) from None
                self._models[app] = ModelCalls(handle.load, handle.do)
            return self._models[app]

    async def _started(self, app: str, order: Order) -> Any:
        from ray import serve

        await self._deployed(app, order)
        while not (state := _state((await self._applications()).get(app))).replicas:
            if state.problem == FAILED or self._is_ill(app):
                raise ClusterDown("no replica of the model can be started", RETRY_SECONDS)
            if state.problem == UNPLACED:
                raise ClusterDown(self._no_room(), RETRY_SECONDS)
            await asyncio.sleep(CHECK_SECONDS)
        return await self._run(serve.get_deployment_handle, DEPLOYMENT, app)

    async def _deployed(self, app: str, order: Order) -> None:
        """Deploys the model if that is this server's task. Of several servers that start at the same time,
        one deploys.
        """
        until = time.monotonic() + DEPLOY_SECONDS
        while await self._must_deploy(app, order):
            if await self._run(begin_deploying, app, time.monotonic() > until):
                try:
                    if await self._must_deploy(app, order):  # another server was quicker
                        await self._run(model_app, app, order, self._first)
                finally:
                    await self._run(end_deploying, app)
                return
            await asyncio.sleep(CHECK_SECONDS)

    async def _must_deploy(self, app: str, order: Order) -> bool:
        """Whether the model is missing or failed, or was deployed by a server with another version or other
        settings. An application that a file has made is used as it is.
        """
        rules = self._first.rules
        if not rules.deploy:
            return False
        found = (await self._applications()).get(app)
        if found is None or _state(found).problem == FAILED:
            return True
        made, at = await self._run(note_of, app)
        other: bool = at == found.last_deployed_time_s and made != fingerprint(order, rules)
        if other:
            log.warning("%s is deployed anew, because the version or the settings have changed", app)
        return other

    def _no_room(self) -> str:
        rules = self._first.rules
        gpus = f" and ray.gpus = {rules.gpus:g}" if rules.gpus else ""
        return NO_ROOM.format(f"ray.cpus = {rules.cpus:g}{gpus}")

    def _is_ill(self, app: str) -> bool:
        """Whether the replicas of a model have kept ending for `ILL_SECONDS`."""
        now = time.monotonic()
        return now - self._ill_since.get(app, now) > ILL_SECONDS

    async def _states(self) -> dict[str, AppState]:
        """The states of all models, in words for people."""
        found = {app: _state(told) for app, told in (await self._applications()).items()}
        return {
            app: AppState(state.replicas, self._no_room()) if state.problem == UNPLACED else state
            for app, state in found.items()
        }

    async def _applications(self) -> dict[str, Any]:
        from ray import serve

        status = await self._run(serve.status)
        return {app: found for app, found in status.applications.items() if found.status != "DELETING"}

    async def _run(self, step: Any, *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step, *arguments)


def _state(app: Any) -> AppState:
    """The state of an application, as Ray Serve calls it. `app`: None if there is no such application."""
    if app is None:
        return AppState()
    deployment = app.deployments.get(DEPLOYMENT)
    if deployment is None:
        return AppState(problem=str(app.status.value))
    running = sum(count for state, count in deployment.replica_states.items() if state == "RUNNING")
    return AppState(running, UNPLACED if UNPLACED in deployment.message else str(deployment.status.value))


def _began(taken: TakenCall | None, calls: int) -> bool:
    """Whether a replica that has ended was certainly at this call. A call that had to wait for others may not
    have begun. One that was done alone may have ended, and its answer was lost when the replica ended at the
    next call.
    """
    if taken is None:
        return False
    return taken.ahead < calls if calls else not (taken.ahead or taken.followed)


def death_of(error: Any, *, began: bool) -> EngineDied | None:
    """The death that a failure of Ray tells of; None if it tells of none. `began`: whether the replica began
    with the work at once.

    Only a process that ended by itself may have ended because of its work. One that Ray ended, or that can no
    longer be reached, is no fault of the work, which is then tried again as often as after a `kill`.
    """
    from ray import exceptions

    if isinstance(error, exceptions.OutOfMemoryError):
        return EngineDied("its replica was ended because memory ran out", signal=SIGKILL, memory=True)
    if began and isinstance(error, exceptions.ActorDiedError) and CRASHED in str(error):
        return EngineDied("its replica ended")
    gone = (
        exceptions.RayActorError,
        exceptions.WorkerCrashedError,
        exceptions.NodeDiedError,
        exceptions.LocalRayletDiedError,
        exceptions.ObjectLostError,
    )
    return EngineDied("its replica is gone", signal=SIGKILL) if isinstance(error, gone) else None
