"""The Ray deployment of a model, described by plain values.

Law: the one place where the options of deployments are written. It does not import Ray, because the server
has to read it without Ray.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from app import __version__
from app.models.weights import slug
from app.runtime.ray_messages import MESSAGE_VARIABLES, ClusterRules
from engines.work import Order

DEPLOYMENT = "Replica"
ARGUMENTS = ("kind", "engine", "folder", "name", "options", "stuck_seconds")
"""Of the function at `IMPORT_PATH`."""
IMPORT_PATH = "app.runtime.ray_deployment:configured_app"
ROUTER = "app.runtime.ray_router:LeastBusyRouter"
WAITING_CALLS = 64
"""Calls that may wait in a replica: one of each server, and each of those that a client just gave up. Ray
Serve refuses further ones, and the server that is refused tries again with growing pauses.
"""
REPLICA_VARIABLES = {**MESSAGE_VARIABLES, "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"}
"""Environment of replicas: their code is short and runs on Ray Serve's event loop, since the engine works on
a thread anyway.
"""
HEALTH_SECONDS = 5.0
HEALTH_PATIENCE_SECONDS = 30.0
DOWNSCALE_SECONDS = 600.0
"""Seconds until an unneeded replica is ended. It is long because loading a model costs
more than keeping it.
"""
GOODBYE_SECONDS = 30.0


def app_name(order: Order, rules: ClusterRules) -> str:
    """The name of a model's application in the cluster."""
    return rules.prefix + slug(order.name or order.folder.name)


def replica_order(order: Order, rules: ClusterRules) -> Order:
    """The order for a replica: it sees the GPUs that Ray gave it, and uses the processors it reserved."""
    options = order.options
    threads = options.threads or max(1, math.ceil(rules.cpus))
    devices = tuple(range(max(1, int(rules.gpus))))
    return replace(
        order, options=replace(options, devices=devices, workers=options.workers or 1, threads=threads)
    )


def fingerprint(order: Order, rules: ClusterRules) -> str:
    """Tells what a model was deployed from: the version of Antiphon, the order, the rules for replicas."""
    made_of = (__version__, order, deployment_options(order, rules), rules.stuck_seconds)
    return hashlib.sha256(repr(made_of).encode()).hexdigest()


def calls_of(order: Order) -> int:
    """The calls that the engine of a replica does at once."""
    options = order.options
    return max(1, options.workers) * len(options.devices) if order.kind == "transcription" else 1


def deployment_options(order: Order, rules: ClusterRules) -> dict[str, Any]:
    """The options of the deployment of a model, in the words of Ray Serve's configuration files."""
    calls = calls_of(order)
    options: dict[str, Any] = {
        "name": DEPLOYMENT,
        "max_ongoing_requests": calls + WAITING_CALLS,
        "request_router_config": {"request_router_class": ROUTER},
        "logging_config": {"enable_access_log": False},
        "health_check_period_s": HEALTH_SECONDS,
        "health_check_timeout_s": HEALTH_PATIENCE_SECONDS,
        "graceful_shutdown_timeout_s": GOODBYE_SECONDS,
        "ray_actor_options": {
            "num_cpus": rules.cpus,
            "num_gpus": rules.gpus,
            "runtime_env": {"env_vars": {**REPLICA_VARIABLES, **rules.variables}},
        },
    }
    if rules.most_replicas > rules.replicas:
        options["autoscaling_config"] = {
            "min_replicas": rules.replicas,
            "max_replicas": rules.most_replicas,
            "target_ongoing_requests": 0.8 * calls,
            "upscale_delay_s": rules.grow_seconds,
            "metrics_interval_s": rules.grow_seconds / 5,
            "look_back_period_s": rules.grow_seconds,
            "downscale_delay_s": DOWNSCALE_SECONDS,
        }
    else:
        options["num_replicas"] = rules.replicas
    return options


def config_of(orders: Iterable[Order], rules: ClusterRules) -> dict[str, Any]:
    """The configuration file of Ray Serve with an application for each model."""
    return {
        "proxy_location": "Disabled",
        "applications": [
            {
                "name": app_name(order, rules),
                "route_prefix": None,
                "import_path": IMPORT_PATH,
                "args": _arguments(replica_order(order, rules), rules),
                "deployments": [deployment_options(order, rules)],
            }
            for order in orders
        ],
    }


def _arguments(order: Order, rules: ClusterRules) -> dict[str, Any]:
    """The arguments of `configured_app`, as plain values."""
    options = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(order.options).items()}
    return {
        "kind": order.kind,
        "engine": order.engine,
        "folder": str(order.folder),
        "name": order.name,
        "options": options,
        "stuck_seconds": rules.stuck_seconds,
    }
