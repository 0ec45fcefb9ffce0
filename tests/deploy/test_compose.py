"""compose.yaml: keys, names and secrets fit together, and `docker compose up` starts one server."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
import yaml

from app.settings import Settings
from app.settings.load import groups, variable
from tests.conftest import ROOT
from tests.deploy.compose_schema import COMPOSE

TEXT = (ROOT / "compose.yaml").read_text()
MEANT: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = MEANT["services"]
SERVERS = {"cpu": SERVICES["antiphon"], "gpu": SERVICES["antiphon-gpu"]}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def defaults() -> dict[str, str]:
    """The variables that `.env` sets."""
    lines = (ROOT / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_key_is_one_of_compose() -> None:
    jsonschema.validate(MEANT, COMPOSE)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("healthcheck:", "healtcheck:"),
        ("read_only:", "readonly:"),
        ("start_interval:", "start_intervall:"),
        ("capabilities:", "capability:"),
        ("condition:", "conditions:"),
        ("\nservices:", "\nservice:"),
        ("profiles: [cpu]", "profile: [cpu]"),
        ("stop_grace_period: 75s", "stop_grace_period: 75"),
    ],
)
def test_a_misspelt_key_is_refused(right: str, wrong: str) -> None:
    assert right in TEXT
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(TEXT.replace(right, wrong)), COMPOSE)


def test_docker_compose_up_starts_the_cpu_server_and_nothing_else() -> None:
    """Each service has a profile, and `.env` chooses one."""
    chosen = set(defaults()["COMPOSE_PROFILES"].split(","))
    assert [name for name, service in SERVICES.items() if chosen & set(service["profiles"])] == ["antiphon"]
    assert {profile for service in SERVICES.values() for profile in service["profiles"]} == {
        "cpu", "gpu", "postgres", "observe",
    }  # fmt: skip


def test_both_servers_are_the_same_but_for_the_image_and_the_gpu() -> None:
    own = {"profiles", "image", "build", "deploy"}
    cpu, gpu = (
        {key: value for key, value in server.items() if key not in own} for server in SERVERS.values()
    )
    assert cpu == gpu
    for target, server in SERVERS.items():
        assert server["build"]["target"] == target == server["image"].rpartition(":")[2]
        assert re.search(rf"^FROM run AS {target}$", DOCKERFILE, re.MULTILINE)


def test_a_server_is_confined() -> None:
    for server in SERVERS.values():
        assert server["read_only"] is True
        assert server["cap_drop"] == ["ALL"]
        assert server["security_opt"] == ["no-new-privileges:true"]
        assert f"USER {server['user']}" in DOCKERFILE
        assert server["volumes"] == ["antiphon:/data"]
        assert "${ANTIPHON_PUBLISH:-127.0.0.1:8000}" in server["ports"][0]


def test_a_server_may_finish_its_requests_before_it_is_killed() -> None:
    for server in SERVERS.values():
        assert int(server["stop_grace_period"].removesuffix("s")) > Settings().server.shutdown_seconds + 5


def test_health_is_asked_as_in_the_image() -> None:
    command = re.search(r"^HEALTHCHECK .* CMD \[(.*)\]$", DOCKERFILE, re.MULTILINE)
    assert command
    words = [word.strip().strip('"') for word in command[1].split(",")]
    for server in SERVERS.values():
        assert server["healthcheck"]["test"] == ["CMD", *words]


def test_settings_of_a_server_exist() -> None:
    known = {variable(group, key) for group, model in groups().items() for key in model.model_fields}
    for server in SERVERS.values():
        names = set(server["environment"]) - {"HF_TOKEN_FILE"}
        assert {name.removesuffix("_FILE") for name in names} <= known


def test_every_secret_comes_from_a_file_and_is_declared() -> None:
    for name, service in SERVICES.items():
        for secret in service.get("secrets", ()):
            assert secret in MEANT["secrets"], name
        given = [value for value in service.get("environment", {}).values() if "/run/secrets/" in value]
        assert {value.removeprefix("/run/secrets/") for value in given} <= set(service.get("secrets", ()))
    plain = re.findall(r"^\s+\w*(?:PASSWORD|TOKEN|KEYS?|URL): (?!/run)", TEXT, re.MULTILINE)
    assert not plain


def test_the_defaults_are_written_once_and_need_no_file_for_a_server() -> None:
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT))
    told = {name: value for name, value in defaults().items() if name != "COMPOSE_PROFILES"}
    assert used == told
    for server in SERVERS.values():
        for secret in server["secrets"]:
            name = re.search(r"\$\{(\w+)", MEANT["secrets"][secret]["file"])
            assert name
            file = ROOT / told[name[1]]
            assert file.is_file()
            assert file.read_bytes() == b""


def test_volumes_and_files_that_are_mounted_exist() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            exists = (ROOT / source).exists() if source.startswith(".") else source in MEANT["volumes"]
            assert exists, mount


def test_secrets_are_kept_out_of_the_image_and_the_repository() -> None:
    for name in (".dockerignore", ".gitignore"):
        assert re.search(r"^/?secrets/?$", (ROOT / name).read_text(), re.MULTILINE), name
