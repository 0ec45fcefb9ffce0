"""`antiphon ray`: a Ray cluster for models on several machines."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Config

if TYPE_CHECKING:
    from app.settings import Settings
    from engines.work import Order

STARTED = """The cluster runs at {}. In another terminal, with the same settings:
    ANTIPHON_RUNTIME_PLACEMENT=ray antiphon serve
Ctrl-C ends the cluster."""

Processors = Annotated[
    float,
    typer.Option(
        metavar="N",
        min=1,
        help="Processors that replicas may reserve. Each model reserves `ray.cpus`; for a try there may be "
        "more than the machine has.",
    ),
]

app = typer.Typer(help="Run models in a Ray cluster (experimental).", no_args_is_help=True)


@app.command()
def up(
    cpus: Processors = 16,
    gpus: Annotated[float, typer.Option(metavar="N", min=0, help="GPUs that replicas may reserve.")] = 0,
    config: Config = None,
) -> None:
    """Start a cluster on this machine, for a try.

    It asks for a token, which is kept in the storage folder, and ends with Ctrl-C. Ray
    listens on all addresses of the machine, and only the token guards its ports: try it
    where a firewall keeps others out. Linux only.

    Example:
        antiphon ray up
    """
    from tempfile import TemporaryDirectory

    from app.runtime.ray_node import RayNode, found_token, kept_token, token_file
    from app.settings.load import load_settings

    _require_ray()
    settings = load_settings(config)
    port = _local_port(settings.ray.address)
    token = found_token(settings.folder) or kept_token(token_file(settings.folder))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # a short path, because Ray's sockets are in it
    with TemporaryDirectory(prefix="antiphon-ray-", ignore_cleanup_errors=True) as folder:
        node = RayNode(port, token, Path(folder), cpus=cpus, gpus=gpus)
        try:
            node.wait_until_up()
            print(STARTED.format(settings.ray.address), flush=True)
            sys.exit(node.wait())
        except KeyboardInterrupt:
            print("The cluster is ended.")
        finally:
            node.kill()


@app.command()
def down(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Models; default: all that begin with `ray.prefix`."),
    ] = None,
    config: Config = None,
) -> None:
    """Stop models in the cluster and free their memory and GPUs.

    Servers leave models in the cluster when they stop. One that still uses a model deploys it
    again with its next request.

    Examples:
        antiphon ray down
        antiphon ray down whisper-base
    """
    from app.container.placement import cluster_rules
    from app.runtime.ray_deployment import delete_apps
    from app.runtime.ray_deployment_options import app_name
    from app.settings.load import load_settings

    _require_ray()
    settings = load_settings(config)
    rules = cluster_rules(settings)
    names = [app_name(order, rules) for order in _orders(settings, models)] if models else []
    _join(settings)
    ended = delete_apps(names, rules.prefix)
    print("\n".join(f"{name} is ended." for name in ended) or "There is no such model in the cluster.")


@app.command("config")
def write_config(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Models; default: those of `models.preload`."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check such a file instead, for example after a change."),
    ] = None,
    config: Config = None,
) -> None:
    """Print the configuration file of Ray Serve, made from the settings.

    Each model is an application. `serve deploy FILE` deploys them; a server then uses
    them instead of deploying models itself.

    Examples:
        antiphon ray config > serve.yaml
        antiphon ray config --check serve.yaml
    """
    import yaml

    from app.container.placement import cluster_rules
    from app.runtime.ray_deployment import check_config
    from app.runtime.ray_deployment_options import config_of
    from app.settings.load import load_settings

    _require_ray()
    if check:
        _check(check)
        return
    settings = load_settings(config)
    orders = _orders(settings, models or list(settings.models.preload))
    made = config_of(orders, cluster_rules(settings))
    check_config(made)
    print(yaml.safe_dump(made, sort_keys=False), end="")


def _join(settings: Settings) -> None:
    """Makes this process a client of the cluster."""
    import os

    from app.cli.failures import CommandError
    from app.runtime.ray_join import join
    from app.runtime.ray_node import ENVIRONMENT, found_token
    from engines.errors import ClusterDown

    os.environ.update({"RAY_AUTH_TOKEN": found_token(settings.folder) or "", **ENVIRONMENT})
    address = settings.ray.address
    try:
        join(address)
    except ClusterDown as failure:
        raise CommandError(f"The cluster at {address} does not answer: {failure.why}.") from None


def _check(file: Path) -> None:
    import yaml

    from app.cli.failures import CommandError
    from app.runtime.ray_deployment import check_config
    from engines.errors import EngineError

    try:
        check_config(yaml.safe_load(file.read_text()))
    except (EngineError, UnicodeDecodeError, yaml.YAMLError) as wrong:
        raise CommandError(f"{file}: {wrong}") from None
    print(f"{file} is a valid configuration of Ray Serve.")


def _orders(settings: Settings, names: list[str]) -> list[Order]:
    from app.cli.failures import CommandError
    from app.container import model_registry, weights_store
    from app.container.builders import runner_rules
    from app.runtime.model_orders import EngineSettings, Orders

    if not names:
        raise CommandError("Name a model, or set `models.preload`.")
    registry = model_registry(settings)
    orders = Orders(weights_store(settings), EngineSettings.of(settings), runner_rules(settings).batch)
    models = [registry.resolve(name) for name in names]
    for model in models:
        if not model.engine:  # the voice decides which model speaks
            able = ", ".join(f"`{other.id}`" for other in registry.speech_models() if other.engine)
            raise CommandError(f"`{model.id}` stands for several models. Name one of them: {able or 'none'}.")
    return [orders.order(model) for model in models]


def _require_ray() -> None:
    from importlib.util import find_spec

    from app.cli.failures import CommandError

    if find_spec("ray") is None:
        raise CommandError(
            "Ray is not installed. Install it with `make install RAY=1` or `pip install 'antiphon[ray]'`."
        )


def _local_port(address: str) -> int:
    from app.cli.failures import CommandError
    from app.runtime.ray_node import LOOPBACK

    host, _, port = address.rpartition(":")
    if host != LOOPBACK[0]:
        raise CommandError(
            f"`ray.address` is {address}, and this command starts a cluster at {LOOPBACK[0]} only. "
            "docs/scale.md says how to start one on several machines."
        )
    return int(port)
