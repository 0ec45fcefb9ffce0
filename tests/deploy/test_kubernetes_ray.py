"""The overlay with models in a Ray cluster: valid by KubeRay's, Kubernetes' and Ray Serve's own schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft7Validator, ValidationError

from app.models.catalog import catalog
from app.runtime.ray_deployment_options import app_name, config_of, deployment_options
from app.runtime.ray_messages import ClusterRules
from engines.types import EngineOptions
from engines.work import Order
from tests.conftest import ROOT

FOLDER = ROOT / "deploy/kubernetes/overlays/ray"
SCHEMA = ROOT / "tests/data/kuberay/rayservice.json"
"""Of KubeRay 1.7, without descriptions and without what Kubernetes' own schemas describe."""
LABEL = {"antiphon.example/ray": "true"}
RULES = ClusterRules(address="antiphon-models-head-svc:6379")


def one(name: str) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return value


SERVICE = one("models.yaml")
CLUSTER = SERVICE["spec"]["rayClusterConfig"]
GROUPS = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]
SERVER = one("server.yaml")["spec"]["template"]


def closed(schema: Any) -> Any:
    """The same schema, which refuses unknown keys, as Kubernetes does when it applies a manifest."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def check(service: object) -> None:
    Draft7Validator(closed(json.loads(SCHEMA.read_text()))).validate(service)


def test_the_service_is_valid() -> None:
    check(SERVICE)


@pytest.mark.parametrize("key", ["headGroupSpec", "workerGroupSpecs", "authOptions", "serveConfigV2"])
def test_a_misspelt_key_is_refused(key: str) -> None:
    text = (FOLDER / "models.yaml").read_text()
    assert f"{key}:" in text
    with pytest.raises(ValidationError):
        check(yaml.safe_load(text.replace(f"{key}:", f"{key}x:")))


@pytest.mark.parametrize("version", ["1.30", "1.33"])
def test_pods_and_policies_are_valid(version: str) -> None:
    kubernetes_validate.validate(one("network-policy.yaml"), version, strict=True)
    for group in GROUPS:
        pod = {"apiVersion": "v1", "kind": "Pod", **group["template"]}
        pod["metadata"] = {"name": "pod", **pod["metadata"]}
        kubernetes_validate.validate(pod, version, strict=True)


def test_the_applications_are_what_the_command_prints() -> None:
    written = yaml.safe_load(SERVICE["spec"]["serveConfigV2"])
    orders = []
    for app in written["applications"]:
        args = app["args"]
        options = EngineOptions(**args["options"] | {"devices": tuple(args["options"]["devices"])})
        order = Order(args["kind"], args["engine"], Path(args["folder"]), options, args["name"])
        entry = catalog()[order.name]
        assert (entry.kind, entry.engine) == (order.kind, order.engine)
        assert app["name"] == app_name(order, RULES)
        assert app["deployments"] == [deployment_options(order, RULES)]
        orders.append(order)
    assert config_of(orders, RULES) == written


def containers() -> Iterator[dict[str, Any]]:
    """All containers of the overlay."""
    for pod in (SERVER, *(group["template"] for group in GROUPS)):
        yield from pod["spec"].get("initContainers", [])
        yield from pod["spec"]["containers"]


def test_every_process_of_ray_has_the_token_and_reports_nothing() -> None:
    secret = CLUSTER["authOptions"]["secretName"]
    assert CLUSTER["authOptions"]["mode"] == "token"
    for container in containers():
        values = {item["name"]: item for item in container["env"]}
        assert values["RAY_USAGE_STATS_ENABLED"]["value"] == "0"
        if container in SERVER["spec"]["initContainers"] + SERVER["spec"]["containers"]:
            assert values["RAY_AUTH_MODE"]["value"] == "token"
            assert values["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]["name"] == secret
    for group in GROUPS:
        assert group["rayStartParams"]["disable-usage-stats"] == "true"


def test_only_the_cluster_reaches_its_ports() -> None:
    policy = one("network-policy.yaml")["spec"]
    assert policy["podSelector"]["matchLabels"] == LABEL
    assert policy["ingress"][0] == {"from": [{"podSelector": {"matchLabels": LABEL}}]}
    for pod in (SERVER, *(group["template"] for group in GROUPS)):
        assert LABEL.items() <= pod["metadata"]["labels"].items()


def test_servers_find_the_head() -> None:
    address = f"{SERVICE['metadata']['name']}-head-svc:6379"
    node, server = SERVER["spec"]["initContainers"][0], SERVER["spec"]["containers"][0]
    assert f"--address={address}" in node["command"]
    values = {item["name"]: item.get("value") for item in server["env"]}
    assert values["ANTIPHON_RAY_ADDRESS"] == address
    assert values["ANTIPHON_RUNTIME_PLACEMENT"] == "ray"
    assert values["ANTIPHON_RAY_DEPLOY"] == "false", "else they might deploy before KubeRay does"


def test_the_version_is_the_locked_one() -> None:
    (locked,) = re.findall(r"^ray==(\S+)", (ROOT / "requirements/ray.txt").read_text(), re.MULTILINE)
    assert CLUSTER["rayVersion"] == locked
