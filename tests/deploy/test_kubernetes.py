"""The manifests: valid by Kubernetes' own schemas, and their names fit together.

`make image-test` renders them with kubectl and validates what comes out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.settings.load import groups, load_settings, variable
from deploy.image_test.image import USER
from tests.conftest import ROOT

FOLDER = ROOT / "deploy/kubernetes"
BASE, OVERLAYS = FOLDER / "base", FOLDER / "overlays"
NAME = {"app.kubernetes.io/name": "antiphon"}
"""The label that kustomize adds to every object, selector and pod."""


def one(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(path.read_text())
    return value


LISTED: list[str] = one(BASE / "kustomization.yaml")["resources"]
OBJECTS = {name: one(BASE / name) for name in LISTED}
DEPLOYMENT = OBJECTS["deployment.yaml"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
SERVER = POD["containers"][0]
CONTAINERS = [
    *POD["initContainers"],
    SERVER,
    *OBJECTS["migrate.yaml"]["spec"]["template"]["spec"]["containers"],
]
PATCHES = [
    OVERLAYS / overlay.name / patch["path"]
    for overlay in sorted(OVERLAYS.iterdir())
    for patch in one(overlay / "kustomization.yaml")["patches"]
]


def test_every_manifest_is_listed() -> None:
    files = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(LISTED)


@pytest.mark.parametrize("version", ["1.30", "1.33"])
@pytest.mark.parametrize("name", LISTED)
def test_a_manifest_is_valid(name: str, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[name], version, strict=True)


def test_a_misspelt_key_is_refused() -> None:
    text = (BASE / "deployment.yaml").read_text().replace("readinessProbe:", "readynessProbe:")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(yaml.safe_load(text), "1.33", strict=True)


@pytest.mark.parametrize("path", PATCHES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_patch_names_an_object_and_a_container_that_exist(path: Path) -> None:
    patch = one(path)
    known = {(made["apiVersion"], made["kind"], made["metadata"]["name"]): made for made in OBJECTS.values()}
    whole = known[patch["apiVersion"], patch["kind"], patch["metadata"]["name"]]
    patched = patch["spec"]["template"]["spec"]["containers"]
    names = {container["name"] for container in whole["spec"]["template"]["spec"]["containers"]}
    assert {container["name"] for container in patched} <= names


def test_overlays_change_images_that_exist() -> None:
    images = {container["image"] for container in CONTAINERS}
    for overlay in [BASE, *OVERLAYS.iterdir()]:
        assert {image["name"] for image in one(overlay / "kustomization.yaml")["images"]} <= images


def test_probes_never_end_a_pod_that_works() -> None:
    """Readiness and startup look at models and database; liveness only at the process."""
    paths = {name: SERVER[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/health/ready", "readiness": "/health/ready", "liveness": "/health/live"}
    assert SERVER["livenessProbe"]["periodSeconds"] * SERVER["livenessProbe"]["failureThreshold"] >= 60
    assert SERVER["startupProbe"]["periodSeconds"] * SERVER["startupProbe"]["failureThreshold"] >= 600


def test_a_pod_may_finish_its_requests() -> None:
    settings = load_settings(BASE / "config.toml", {})
    assert settings.server.replicas == DEPLOYMENT["replicas"]
    pause = int(SERVER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert POD["terminationGracePeriodSeconds"] > pause + settings.server.shutdown_seconds + 5
    assert DEPLOYMENT["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert settings.server.port == SERVER["ports"][0]["containerPort"]


def test_every_container_is_confined() -> None:
    pods = [POD, OBJECTS["migrate.yaml"]["spec"]["template"]["spec"]]
    for pod in pods:
        user = pod["securityContext"]
        assert f"{user['runAsUser']}:{user['runAsGroup']}" == USER
        assert user["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
    for container in CONTAINERS:
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_settings_exist_and_secrets_are_files() -> None:
    known = {variable(group, key) for group, model in groups().items() for key in model.model_fields}
    for container in CONTAINERS:
        for item in container["env"]:
            assert item["name"].removesuffix("_FILE") in known | {"ANTIPHON_CONFIG"}
            assert "valueFrom" not in item
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in POD["volumes"]}


def test_services_and_budgets_select_the_servers_alone() -> None:
    labels = DEPLOYMENT["template"]["metadata"]["labels"]
    selectors = (
        DEPLOYMENT["selector"]["matchLabels"],
        OBJECTS["service.yaml"]["spec"]["selector"],
        OBJECTS["disruption-budget.yaml"]["spec"]["selector"]["matchLabels"],
    )
    job = OBJECTS["migrate.yaml"]["spec"]["template"]["metadata"]["labels"]
    assert all(selector == labels != job for selector in selectors)
    assert OBJECTS["network-policy.yaml"]["spec"]["podSelector"]["matchLabels"] == NAME
    assert one(BASE / "kustomization.yaml")["labels"][0]["pairs"] == NAME
    port = OBJECTS["network-policy.yaml"]["spec"]["ingress"][0]["ports"][0]["port"]
    assert port == SERVER["ports"][0]["containerPort"]
    assert OBJECTS["disruption-budget.yaml"]["spec"]["minAvailable"] < DEPLOYMENT["replicas"]
