"""The Ray Serve application of a model: deployed by a gateway, or by Ray Serve from a configuration file.

Law: imports Ray; what is deployed is decided in `ray_orders.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from app.runtime.ray_orders import DEPLOYMENT, deployment_options
from app.runtime.ray_replica import Replica
from app.runtime.ray_values import ConnectTo
from engines.errors import EngineError
from engines.types import EngineOptions
from engines.work import Order


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
    """Deploys a model without waiting until it runs."""
    from ray import serve
    from ray.exceptions import ActorAlreadyExistsError

    with suppress(ActorAlreadyExistsError):  # another server is deploying it at the same time
        serve.start(proxy_location="Disabled")
    rules = first.rules
    deployment = serve.deployment(Replica, **deployment_options(order, rules))
    app = deployment.bind(order, first.finder, rules.stuck_seconds)
    serve.run_many([serve.RunTarget(app, name=name, route_prefix=None)], wait_for_applications_running=False)
