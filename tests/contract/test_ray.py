"""The placement `ray` on a cluster of two nodes on this machine: the suite of all placements, and what only a
cluster can show. All tests share the cluster; the last one ends its head.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from app.errors import ApiError
from app.runtime.admission import Admission
from app.runtime.ray_deployment_options import config_of
from app.runtime.ray_node import ENVIRONMENT
from app.runtime.threads_placement import ThreadsPlacement
from engines.catalog import EngineFinder
from engines.errors import EngineDied
from engines.types import DiarizeOptions, EngineOptions, Pcm, TranscribeOptions, Window
from engines.work import Order, Place, Transcribe
from tests.conftest import JFK, ROOT
from tests.contract import test_runner as suite
from tests.support import live_client
from tests.support.fake_server import serving
from tests.support.live_client import COMPLETED, WIDE
from tests.support.ray_cluster import RAY, RayCluster
from tests.support.runner_setting import SECOND, Setting
from tests.support.scripted_engines import BROKEN, LOOK
from tests.support.server import Server
from tests.support.sound import decode, tone, wav
from tests.support.waiting import until, wait_until

pytestmark = RAY
LOAD_SECONDS = 60.0
"""A bound for loading a model, for which a cluster starts a process."""
HEAD_SECONDS = "5"
"""Seconds for which Ray's processes wait for a lost head; its default is 60."""

globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """Two nodes that have no model yet."""
    patience = {"RAY_gcs_rpc_server_reconnect_timeout_s": HEAD_SECONDS}
    with RayCluster(tmp_path_factory.mktemp("models"), nodes=2, variables=patience) as made:
        yield made


@pytest.fixture(scope="module")
def loaded(cluster: RayCluster) -> RayCluster:
    """The cluster with replicas of all models, so that no test waits for their start."""
    cluster.load(("transcription", "speech", "speaker", "diarization"))
    return cluster


@pytest.fixture
async def setting(loaded: RayCluster, tmp_path: Path) -> AsyncIterator[Setting]:
    async with Setting(loaded.place, tmp_path, loaded.folder).kept() as made:
        yield made


@asynccontextmanager
async def patient(cluster: RayCluster, place: Place, folder: Path, suffix: str) -> AsyncIterator[Setting]:
    """A setting whose requests may wait until replicas are started."""
    async with Setting(place, folder, cluster.folder).kept() as made:
        made.suffix, made.admission._seconds = suffix, 2 * LOAD_SECONDS
        yield made


@pytest.fixture
async def pair(cluster: RayCluster, tmp_path: Path) -> AsyncIterator[Setting]:
    """A model with two replicas."""
    async with patient(cluster, cluster.with_replicas(2), tmp_path, "-pair") as made:
        await made.say(made.runner.admit())
        await until(lambda: len(cluster.replicas("transcription-pair")) == 2, LOAD_SECONDS)
        yield made


async def test_what_nobody_needs_leaves_the_queue_of_the_cluster(setting: Setting) -> None:
    """The server gives up two calls: the first one runs, and the second one waits in the cluster for it."""
    permits = [setting.runner.admit() for _ in range(2)]
    running = await setting.occupied(permits[0])
    for permit, task in zip(permits, (running, None), strict=True):
        given_up = task or asyncio.create_task(setting.say(permit, prompt=f"touch:{setting.path('no')}"))
        await until(lambda: setting.runner.snapshot().running == 1)
        given_up.cancel()
        permit.close()
        await until(lambda: setting.runner.snapshot().running == 0)
    await asyncio.sleep(2)  # nothing tells when a cancellation has arrived, which takes milliseconds
    last = asyncio.create_task(setting.say(setting.runner.admit()))
    setting.go()
    assert await last == "0 of 1"
    assert not setting.path("no").exists()


async def test_the_cluster_gets_as_much_as_it_takes_and_the_rest_waits_in_the_server(
    setting: Setting,
) -> None:
    setting.runner._admission = Admission(10, 30.0)
    busy = await setting.occupied()
    waiting = [asyncio.create_task(setting.say(setting.runner.admit())) for _ in range(9)]
    await until(lambda: setting.runner.snapshot().waiting == 9)
    assert setting.runner.snapshot().running == 1
    with pytest.raises(ApiError) as refused:
        setting.runner.admit()
    assert refused.value.status in {429, 503}
    setting.go()
    assert len(await asyncio.gather(busy, *waiting)) == 10


def test_two_servers_that_always_have_work_get_the_same_share_of_a_replica(loaded: RayCluster) -> None:
    order = loaded.order("transcription")
    hosts = [place.open(order) for place in (loaded.place, loaded.another_server())]
    answers = [0, 0]

    def ask(number: int) -> None:
        work = Transcribe((Window(SECOND, prompt="sleep:0.05"),), TranscribeOptions())
        while sum(answers) < 40:
            hosts[number].do(work, LOAD_SECONDS)
            answers[number] += 1

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(ask, range(2)))
    for host in hosts:
        host.close()
    assert min(answers) >= 0.4 * sum(answers)


async def test_a_replica_that_is_killed_loses_no_request_and_none_if_its_successor_cannot_load(
    pair: Setting, cluster: RayCluster
) -> None:
    model = pair.model("transcription")
    host, broken = pair.runner._lanes[model.id].life.host, model.folder / BROKEN
    await until(lambda: host is not None and host.calls == 2, LOAD_SECONDS)
    broken.touch()
    permits = [pair.runner.admit() for _ in range(10)]
    says = (pair.say(permits[i % 10], start=i, prompt="sleep:0.05") for i in range(100))
    tasks = [asyncio.create_task(say) for say in says]
    await until(lambda: sum(task.done() for task in tasks) >= 10, LOAD_SECONDS)
    os.kill(cluster.replicas("transcription-pair")[0], signal.SIGKILL)
    assert not all(task.done() for task in tasks)
    texts = await asyncio.gather(*tasks)
    assert [text.split()[0] for text in texts] == [str(i) for i in range(100)]
    await until(lambda: len(cluster.replicas("transcription-pair")) == 2, LOAD_SECONDS)
    await until(lambda: host is not None and host.calls == 2, LOAD_SECONDS, "Ray Serve takes the successor")
    more = (pair.say(permits[i % 10], start=i, prompt="sleep:0.02") for i in range(50))
    assert len(await asyncio.gather(*more)) == 50
    broken.unlink()


async def test_a_row_that_kills_replicas_fails_alone(pair: Setting) -> None:
    bad = asyncio.create_task(pair.say(pair.runner.admit(), prompt="abort"))
    good = [asyncio.create_task(pair.say(pair.runner.admit(), start=i)) for i in range(6)]
    with pytest.raises(EngineDied):
        await bad
    assert [text.split()[0] for text in await asyncio.gather(*good)] == [str(i) for i in range(6)]


async def test_replicas_are_added_while_work_waits_and_share_one_long_audio(
    cluster: RayCluster, tmp_path: Path
) -> None:
    async with patient(cluster, cluster.growing(2), tmp_path, "-long") as long:
        runner, model, noted = long.runner, long.model("diarization"), long.path("noted")
        (model.folder / LOOK).write_text(f"note:{noted} sleep:0.2")

        async def diarized(seconds: int) -> None:
            blocks = suite.blocks_of(*(16_000,) * seconds)
            await runner.diarize(model, blocks, DiarizeOptions(), runner.admit())

        await runner.load(model, runner.admit())
        assert len(cluster.replicas("diarization-long")) == 1
        busy = asyncio.create_task(diarized(400))
        host = runner._lanes[model.id].life.host
        await until(lambda: host is not None and host.calls == 2, LOAD_SECONDS, "the second replica runs")
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        noted.unlink()
        await diarized(20)
        assert len(set(noted.read_text().split())) == 2


DEPLOY = """
import sys, yaml
from app.runtime.ray_join import join
join(sys.argv[1])
from ray import serve
from ray.serve.context import _get_global_client
from ray.serve.schema import ServeDeploySchema
serve.start(proxy_location="Disabled")
_get_global_client().deploy_apps(ServeDeploySchema.model_validate(yaml.safe_load(sys.stdin)))
"""
"""Does what `serve deploy` asks the dashboard for, which nodes in tests do not have."""


def deploy(cluster: RayCluster, config: dict[str, Any]) -> None:
    """Deploys the applications of a configuration file of Ray Serve."""
    environment = os.environ | {"RAY_AUTH_TOKEN": cluster.token, **ENVIRONMENT}
    command = [sys.executable, "-c", DEPLOY, cluster.rules.address]
    text = yaml.safe_dump(config).encode()
    subprocess.run(command, env=environment, cwd=ROOT, input=text, check=True, timeout=LOAD_SECONDS)


@pytest.mark.real
def test_a_real_engine_that_a_file_has_deployed_says_the_same(storage: Path, tmp_path: Path) -> None:
    with RayCluster(tmp_path, nodes=1) as cluster:
        _a_real_engine_says_the_same(cluster, storage)


def _a_real_engine_says_the_same(cluster: RayCluster, storage: Path) -> None:
    folder = storage / "weights" / "whisper-base"
    order = Order(
        "transcription",
        "faster-whisper",
        folder,
        EngineOptions(device="cpu", threads=1, workers=1),
        "real",
    )
    work = Transcribe((Window(Pcm(decode(JFK.read_bytes()))),), TranscribeOptions(words=True))
    deploy(cluster, config_of([order], replace(cluster.rules, replicas=2)))
    said = []
    here = ThreadsPlacement()
    for place in (here, cluster.with_replicas(1, EngineFinder())):
        host = place.open(order)
        said.append([(row.segments, row.language) for row in host.do(work, 60.0)])
        if place is not here:
            reason = "the server uses what the file says"
            wait_until(lambda: host.calls == 2, LOAD_SECONDS, reason)  # noqa: B023 - ends in this round
        host.close()
    assert said[0] == said[1]
    assert "ask" in said[0][0][0][0].text.lower()


@pytest.fixture
def server(cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A whole server whose models run in the cluster."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", cluster.token)
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", HEAD_SECONDS)
    settings = {
        "RUNTIME_PLACEMENT": "ray",
        "RAY_ADDRESS": cluster.rules.address,
        "RAY_PREFIX": f"s{cluster.port}-",
        "RAY_CPUS": "0.1",
        "REALTIME_ENABLED": "true",
        "LIMITS_REQUEST_SECONDS": "120",
    }
    with serving(tmp_path, seconds=0.0, engines="scripted", **settings) as made:
        yield made


def status_of(server: Server, path: str) -> int:
    with server.client() as client:
        return int(client.get(server.root + path).status_code)


def test_a_server_uses_the_cluster_and_survives_the_death_of_its_head(
    server: Server, cluster: RayCluster
) -> None:
    def transcribed() -> tuple[int, str]:
        with server.client() as client:
            files = {"file": ("tone.wav", wav(tone(1)))}
            answer = client.post("/audio/transcriptions", data={"model": "whisper-1"}, files=files)
        return answer.status_code, answer.headers.get("retry-after", "")

    assert transcribed() == (200, "")
    _live_speech_is_heard(server)
    with server.client() as client:
        told = client.get(server.root + "/metrics").text
    assert 'antiphon_batch_rows_count{model="' in told
    cluster.lose_head()
    wait_until(lambda: transcribed()[0] == 503, LOAD_SECONDS, "the server notices that the head is lost")
    status, pause = transcribed()
    assert (status, int(pause) > 0) == (503, True)
    assert status_of(server, "/health/live") == 200
    with cluster.tended():
        wait_until(lambda: transcribed()[0] == 200, 2 * LOAD_SECONDS, "the model is deployed again")
    assert server.process.poll() is None


def _live_speech_is_heard(server: Server) -> None:
    speech = (decode(JFK.read_bytes())[:48_000] * 32_767).astype(np.int16).tobytes()
    with live_client.opened(server, "?intent=transcription") as socket:
        live_client.update(socket, format=WIDE, turn_detection=None)
        live_client.append(socket, speech)
        live_client.say(socket, {"type": "input_audio_buffer.commit"})
        assert live_client.until(socket, COMPLETED)[-1]["transcript"]
