"""The Ray Serve application of a model: deployed by a gateway, or by Ray Serve from a configuration file.

Law: imports Ray; what is deployed is decided in `ray_deployment_options.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from app.runtime.ray_deployment_options import (
    ARGUMENTS,
    DEPLOYMENT,
    IMPORT_PATH,
    deployment_options,
    fingerprint,
)
from app.runtime.ray_messages import ConnectTo
from app.runtime.ray_replica import Replica
from engines.errors import EngineError
from engines.types import EngineOptions
from engines.work import Order

NAMESPACE = "antiphon"
"""Of our keys in the cluster's own table of keys and values."""


def configured_app(args: dict[str, Any]) -> Any:
    """The function that Ray Serve calls to build an application of a configuration file."""
    from ray import serve

    options = args["options"]
    order = Order(
        args["kind"],
        args["engine"],
        Path(args["folder"]),
        EngineOptions(**{**options, "devices": tuple(options["devices"])}),
        args["name"],
    )
    return serve.deployment(Replica, name=DEPLOYMENT).bind(order, None, args["stuck_seconds"])


def check_config(config: object) -> None:
    """Raises `EngineError` if Ray Serve would refuse the configuration, or silently ignore a key in it."""
    from pydantic import ValidationError
    from ray.serve.schema import ServeDeploySchema

    try:
        ServeDeploySchema.model_validate(config)
    except ValidationError as wrong:
        raise EngineError(f"Ray Serve refuses the configuration: {wrong}") from None
    unknown = list(_unknown_keys(config, ServeDeploySchema, ""))
    if unknown:
        raise EngineError(f"Ray Serve does not know {', '.join(unknown)}.")
    for application in config["applications"]:  # type: ignore[index]  # it has just been validated
        if application["import_path"] == IMPORT_PATH:
            check_arguments(application["name"], application.get("args", {}))


def check_arguments(name: str, given: dict[str, Any]) -> None:
    """Raises `EngineError` if `configured_app` would not understand its arguments."""
    known = [one.name for one in fields(EngineOptions)]
    asked = {"args": (given, ARGUMENTS), "args.options": (given.get("options"), known)}
    for place, (found, wanted) in asked.items():
        wrong = set(found if isinstance(found, dict) else {}) ^ set(wanted)
        if wrong:
            names = ", ".join(f"`{one}`" for one in sorted(wrong))
            raise EngineError(f"`{place}` of the application `{name}` has too much, or lacks: {names}.")


def _unknown_keys(value: Any, schema: Any, path: str) -> Iterator[str]:
    """The paths of all keys in `value` for which `schema`, a pydantic model, has no field."""
    for key, inner in value.items():
        here = f"{path}.{key}" if path else key
        field = schema.model_fields.get(key)
        if field is None:
            yield f"`{here}`"
            continue
        for model in _models_in(field.annotation):
            for part in inner if isinstance(inner, list) else [inner]:
                if isinstance(part, dict):
                    yield from _unknown_keys(part, model, here)


def _models_in(annotation: Any) -> Iterator[Any]:
    """The pydantic models of a field's type."""
    if hasattr(annotation, "model_fields"):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def model_app(name: str, order: Order, first: ConnectTo) -> None:
    """Deploys a model without waiting until it runs, and notes of what it was made."""
    from ray import serve
    from ray.exceptions import ActorAlreadyExistsError

    with suppress(ActorAlreadyExistsError):  # another server is starting Ray Serve at the same time
        serve.start(proxy_location="Disabled")
    rules = first.rules
    deployment = serve.deployment(Replica, **deployment_options(order, rules))
    app = deployment.bind(order, first.finder, rules.stuck_seconds)
    serve.run_many([serve.RunTarget(app, name=name, route_prefix=None)], wait_for_applications_running=False)
    at = serve.status().applications[name].last_deployed_time_s
    _put(f"made {name}", f"{fingerprint(order, rules)} {at!r}")


def note_of(name: str) -> tuple[str, float]:
    """The fingerprint of what a server deployed last under this name, and when; empty and 0 if none has."""
    from ray.experimental.internal_kv import _internal_kv_get

    made, _, at = (_internal_kv_get(f"made {name}", namespace=NAMESPACE) or b"").decode().partition(" ")
    return made, float(at or 0)


def begin_deploying(name: str, late: bool) -> bool:  # noqa: FBT001 - called on a thread, by position
    """Whether this server may deploy the model now: no other one does. `late`: that other one is gone."""
    return not _put(f"deploying {name}", "", overwrite=late) or late


def end_deploying(name: str) -> None:
    from ray.experimental.internal_kv import _internal_kv_del

    _internal_kv_del(f"deploying {name}", namespace=NAMESPACE)


def _put(key: str, value: str, *, overwrite: bool = True) -> bool:
    """Writes a value into the cluster's own table. Returns whether the key had a value before."""
    from ray.experimental.internal_kv import _internal_kv_put

    return bool(_internal_kv_put(key, value, overwrite, namespace=NAMESPACE))


def delete_apps(names: list[str], prefix: str) -> list[str]:
    """Ends the applications with these names, or all whose names begin with `prefix`. Returns which."""
    from ray import serve

    found = [name for name in serve.status().applications if name.startswith(prefix)]
    ended = [name for name in found if not names or name in names]
    for name in ended:
        serve.delete(name)
    return ended
