from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from app.cli import ray
from app.cli.failures import CommandError
from app.runtime import ray_node
from app.runtime.ray_deployment import check_arguments
from app.runtime.ray_deployment_options import config_of
from app.runtime.ray_join import probe
from app.runtime.ray_messages import ClusterRules
from app.runtime.ray_node import LOOPBACK, found_token
from app.settings import Settings
from engines.errors import EngineError
from engines.types import EngineOptions
from engines.work import Order
from tests.conftest import ROOT
from tests.support.ray_cluster import RAY
from tests.support.server import ANTIPHON, free_port

ORDER = Order("speech", "piper", Path("/data/weights/x"), EngineOptions(), "model")


def test_it_starts_no_cluster_on_another_machine() -> None:
    with pytest.raises(CommandError, match=r"`ray.address` is 10.0.0.1:6379"):
        ray._local_port("10.0.0.1:6379")
    assert ray._local_port("127.0.0.2:6380") == 6380


class Recorded:
    """A node that is interrupted at once."""

    tokens: ClassVar[list[str]] = []

    def __init__(self, _port: int, token: str, *_: object, **__: object) -> None:
        self.tokens.append(token)

    def wait_until_up(self) -> None:
        raise KeyboardInterrupt

    def kill(self) -> None:
        """Nothing was started."""


def test_the_cluster_has_the_token_that_servers_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_node, "RayNode", Recorded)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("ANTIPHON_STORAGE_FOLDER", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    for told in ("", "a-token-of-another-cluster"):
        monkeypatch.setenv("RAY_AUTH_TOKEN", told)
        ray.up(config=None, cpus=1, gpus=0)
        assert Recorded.tokens[-1] == found_token(tmp_path)
    assert Recorded.tokens[-1] == told


def test_a_name_for_several_models_is_refused(settings: Settings) -> None:
    with pytest.raises(CommandError, match="`tts-1` stands for several models"):
        ray._orders(settings, ["tts-1"])


def test_misspelt_arguments_of_an_application_are_refused() -> None:
    rules = ClusterRules(address="head:6379")
    (application,) = config_of([ORDER], rules)["applications"]
    arguments = application["args"]
    check_arguments("model", arguments)
    for wrong in (
        arguments | {"stuck_second": 1},
        {name: value for name, value in arguments.items() if name != "kind"},
        arguments | {"options": arguments["options"] | {"treads": 1}},
        arguments | {"options": None},
        {},
    ):
        with pytest.raises(EngineError, match="`model` has too much, or lacks: `"):
            check_arguments("model", wrong)


class TestCluster:
    """`antiphon ray up` as the docs have it."""

    pytestmark = RAY

    def test_it_runs_until_it_is_interrupted_and_keeps_strangers_out(self, tmp_path: Path) -> None:
        port = free_port()
        environment = os.environ | {
            "ANTIPHON_STORAGE_FOLDER": str(tmp_path),
            "ANTIPHON_RAY_ADDRESS": f"{LOOPBACK[0]}:{port}",
        }
        for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
            environment.pop(name, None)
        started = subprocess.Popen(
            [ANTIPHON, "ray", "up"], env=environment, stdout=subprocess.PIPE, text=True, process_group=0
        )
        with started as process:
            try:
                assert process.stdout
                assert f"runs at {LOOPBACK[0]}:{port}" in process.stdout.readline()
                token = found_token(tmp_path)
                assert token
                probe(f"{LOOPBACK[0]}:{port}")
                ended = subprocess.run(
                    [ANTIPHON, "ray", "down"],
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=60,
                )
                assert "no such model" in ended.stdout, ended.stderr
            finally:
                process.send_signal(signal.SIGINT)
            assert "The cluster is ended." in process.stdout.read()


class TestConfiguration:
    """`antiphon ray config --check`, which asks Ray Serve's own schema."""

    pytestmark = RAY

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        made = tmp_path / "serve.yaml"
        rules = ClusterRules(address="head:6379", gpus=0.5, most_replicas=3)
        made.write_text(yaml.safe_dump(config_of([ORDER], rules)))
        return made

    def check(self, file: Path) -> subprocess.CompletedProcess[str]:
        """In a process of its own, because Ray's libraries warn when they are imported."""
        command = [ANTIPHON, "ray", "config", "--check", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def test_what_is_made_is_valid(self, file: Path) -> None:
        result = self.check(file)
        assert result.returncode == 0, result.stderr
        assert "valid" in result.stdout

    def test_the_one_for_kubernetes_is_valid(self, tmp_path: Path) -> None:
        service = yaml.safe_load((ROOT / "deploy/kubernetes/overlays/ray/models.yaml").read_text())
        file = tmp_path / "serve.yaml"
        file.write_text(service["spec"]["serveConfigV2"])
        result = self.check(file)
        assert result.returncode == 0, result.stderr

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            (
                "max_ongoing_requests:",
                "max_ongoing_request:",
                "`applications.deployments.max_ongoing_request`",
            ),
            ("ray_actor_options:", "actor_options:", "actor_options"),
            ("target_ongoing_requests:", "target_requests:", "target_requests"),
        ],
    )
    def test_what_is_misspelt_is_refused(self, file: Path, old: str, new: str, told: str) -> None:
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        result = self.check(file)
        assert result.returncode == 1
        assert told in result.stderr
