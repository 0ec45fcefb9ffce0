from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from app.cli import ray
from app.cli.failures import CommandError
from app.runtime.ray_orders import config_of
from app.runtime.ray_values import ClusterRules
from app.settings import Settings
from engines.types import EngineOptions
from engines.work import Order
from tests.conftest import ROOT
from tests.support.ray_cluster import RAY
from tests.support.server import ANTIPHON

ORDER = Order("speech", "piper", Path("/data/weights/x"), EngineOptions(), "model")


def test_it_starts_no_cluster_on_another_machine() -> None:
    with pytest.raises(CommandError, match=r"`ray.address` is 10.0.0.1:6379"):
        ray._local_port("10.0.0.1:6379")
    assert ray._local_port("127.0.0.2:6380") == 6380


def test_a_name_for_several_models_is_refused(settings: Settings) -> None:
    with pytest.raises(CommandError, match="`tts-1` stands for several models"):
        ray._orders(settings, ["tts-1"])


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
