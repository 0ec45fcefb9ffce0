from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.runtime.ray_deployment_options import (
    REPLICA_VARIABLES,
    WAITING_CALLS,
    app_name,
    config_of,
    deployment_options,
    fingerprint,
    replica_order,
)
from app.runtime.ray_messages import ClusterRules
from engines.types import EngineOptions
from engines.work import Order

RULES = ClusterRules(address="head:6379", cpus=1.5, gpus=0.5, replicas=2)
ORDER = Order("transcription", "faster-whisper", Path("/data/weights/x"), EngineOptions(), "owner/model")


def test_a_replica_has_its_own_gpus_and_the_processors_that_it_reserved() -> None:
    asked = replace(ORDER, options=EngineOptions(devices=(2, 3)))
    made = replica_order(asked, RULES).options
    assert (made.devices, made.workers, made.threads) == ((0,), 1, 2)
    kept = replica_order(replace(ORDER, options=EngineOptions(workers=3, threads=4)), RULES).options
    assert (kept.workers, kept.threads) == (3, 4)
    assert replica_order(ORDER, replace(RULES, gpus=2)).options.devices == (0, 1)


def test_a_deployment_takes_the_calls_of_its_engine_and_some_that_wait() -> None:
    options = deployment_options(replace(ORDER, options=EngineOptions(workers=3)), RULES)
    assert options["max_ongoing_requests"] == 3 + WAITING_CALLS
    assert options["num_replicas"] == 2
    assert options["ray_actor_options"] == {
        "num_cpus": 1.5,
        "num_gpus": 0.5,
        "runtime_env": {"env_vars": REPLICA_VARIABLES},
    }
    speech = deployment_options(replace(ORDER, kind="speech", options=EngineOptions(workers=3)), RULES)
    assert speech["max_ongoing_requests"] == 1 + WAITING_CALLS


def test_between_two_bounds_ray_serve_decides() -> None:
    options = deployment_options(ORDER, replace(RULES, most_replicas=5))
    assert "num_replicas" not in options
    scaling = options["autoscaling_config"]
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (2, 5)
    assert scaling["target_ongoing_requests"] < 1, "else none is added: a server sends what replicas take"


def test_a_model_is_an_application_of_plain_values() -> None:
    (application,) = config_of([ORDER], RULES)["applications"]
    assert application["name"] == app_name(ORDER, RULES) == "antiphon-owner--model"
    assert application["route_prefix"] is None
    assert application["args"]["folder"] == "/data/weights/x"
    assert application["args"]["options"]["devices"] == [0]
    assert application["deployments"] == [deployment_options(ORDER, RULES)]


def test_a_fingerprint_tells_settings_apart() -> None:
    others = [
        fingerprint(ORDER, replace(RULES, gpus=1)),
        fingerprint(replace(ORDER, folder=Path("/data/weights/y")), RULES),
        fingerprint(replace(ORDER, options=EngineOptions(threads=7)), RULES),
        fingerprint(ORDER, replace(RULES, stuck_seconds=7)),
    ]
    assert len({fingerprint(ORDER, RULES), *others}) == 5
    assert fingerprint(ORDER, RULES) == fingerprint(ORDER, replace(RULES, address="elsewhere:1"))
