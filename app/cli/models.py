"""`antiphon models`: the weights store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Config, Json, complete_model
from app.cli.tables import counted

if TYPE_CHECKING:
    from app.models.weights import WeightsStore
    from app.settings import Settings

app = typer.Typer(help="List, fetch, check and carry model weights.", no_args_is_help=True)
ModelName = typer.Argument(metavar="MODEL...", autocompletion=complete_model, help="Names of models.")
Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL...", autocompletion=complete_model, help="Names; default: the starter set."
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Use local folders only, never a network.")]


@app.command("list")
def list_models(as_json: Json = False, config: Config = None) -> None:
    """List the models and where they are.

    For each: whether its weights are here, and whether the running server has it in memory. The
    server is asked at the address of the settings, with the key in OPENAI_API_KEY or auth.keys.
    Through a pipe: tab-separated lines without a heading.

    Example:
        antiphon models list
    """
    from app.cli.tables import TableRow, show
    from app.models.catalog import catalog
    from app.settings.load import load_settings

    store, memory = _store(config), _in_memory(load_settings(config))
    rows: list[TableRow] = []
    for name in sorted({*catalog(), *store.installed()}):
        entry = store.entry(name)
        rows.append(
            {
                "model": name,
                "kind": entry.kind if entry else None,
                "size_mb": round(entry.size / 1e6) if entry else None,
                "licence": entry.licence if entry else None,
                "weights": _state(store, name) if entry else "unchecked",
                "server": memory.get(name),
                "title": entry.title if entry else "a folder that was put here by hand",
            }
        )
    show(("model", "kind", "size_mb", "licence", "weights", "server", "title"), rows, as_json=as_json)
    if not memory:
        typer.echo("No server answers at the address of these settings, so its column is empty.", err=True)


@app.command()
def pull(
    models: Models = None,
    every: Annotated[bool, typer.Option("--all", help="Every model of the catalogue.")] = False,
    offline: Offline = False,
    trust: Annotated[
        bool | None,
        typer.Option(
            "--trust/--no-trust",
            help="Let the files of this model run code of their author when they are loaded, with all the "
            "rights of the server. Without it, files that would do so are refused.",
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Fetch what is missing or damaged, and verify it.

    After an interruption, run it again: it goes on.

    Examples:
        antiphon models pull
        antiphon models pull Systran/faster-whisper-small
    """
    if trust and (every or not models):
        raise typer.BadParameter("Name the models whose authors you trust.", param_hint="--trust")
    from app.cli.progress import fetch_report

    store = _store(config, offline=offline)
    for model in _names_or_starters(models, every=every):
        with fetch_report() as report:
            entry = store.pull(model, report, trust=trust)
        print(f"{model}: {len(entry.files)} files, {entry.size / 1e6:,.1f} MB, all verified.")
        if entry.trusted:
            print(
                f"{model}: trusted. When the server loads this model, code of its author may run with all "
                f"the rights of the server. `antiphon models pull --no-trust {model}` takes that back."
            )


@app.command()
def verify(models: Annotated[list[str] | None, ModelName] = None, config: Config = None) -> None:
    """Read every file and compare its hash.

    Of all models that are here, or of those named. Prints what is wrong and a summary; the exit
    status is 1 if something is wrong.

    Example:
        antiphon models verify whisper-base
    """
    store = _store(config)
    names = models or store.installed()
    right = size = problems = 0
    for model in names:
        checks = store.check(model)
        if not checks:
            problems += 1
            known = store.path(model).is_dir()
            print(
                f"{model}: {'no list of its files, so nothing can be compared' if known else 'not installed'}"
            )
        for check in checks:
            if check.state == "ok":
                right, size = right + 1, size + check.file.size
            else:
                problems += 1
                print(f"{model}: {check.file.name}: {check.state}")
    print(f"{counted(right, 'file')} of {counted(len(names), 'model')} verified ({size / 1e6:,.0f} MB).")
    if problems:
        print(
            f"{counted(problems, 'problem')}. `antiphon models pull MODEL` fetches what is absent or damaged."
        )
        raise typer.Exit(1)


@app.command()
def remove(models: Annotated[list[str], ModelName], config: Config = None) -> None:
    """Delete the files of models.

    Example:
        antiphon models remove whisper-base
    """
    from app.cli.failures import CommandError

    store = _store(config)
    absent = [model for model in models if not store.path(model).is_dir()]
    if absent:
        raise CommandError(f"There is no {', '.join(absent)} in {store.folder}; nothing was removed.")
    for model in models:
        store.remove(model)
        print(f"{model}: removed.")


@app.command("export")
def export_set(
    models: Models = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The tar file to write.")
    ] = Path("models.tar"),
    config: Config = None,
) -> None:
    """Put models into one file, for a machine without a network.

    Example:
        antiphon models export whisper-base -o models.tar
    """
    from app.cli.output_files import check_plain, check_target
    from app.cli.progress import fetch_report
    from app.models.export import export_models

    check_target(output)
    check_plain(output)
    names = _names_or_starters(models, every=False)
    with fetch_report() as report:
        export_models(_store(config), names, output.resolve(), report)
    print(f"{output}: {', '.join(names)}")


@app.command("import")
def import_set(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="What `antiphon models export` wrote.", exists=True, dir_okay=False
        ),
    ],
    config: Config = None,
) -> None:
    """Take models out of an exported file; each is verified.

    Example:
        antiphon models import models.tar
    """
    from app.cli.progress import fetch_report
    from app.models.export import import_models

    with fetch_report() as report:
        models = import_models(_store(config), file, report)
    print(f"{', '.join(models)}: verified and ready.")


def _store(config: Path | None, *, offline: bool = False) -> WeightsStore:
    from app.container import weights_store
    from app.settings.load import load_settings

    settings = load_settings(config)
    return weights_store(settings, offline=offline)


def _names_or_starters(models: list[str] | None, *, every: bool) -> list[str]:
    from app.models.catalog import catalog

    return models or sorted(name for name, entry in catalog().items() if every or entry.starter)


def _in_memory(settings: Settings) -> dict[str, str]:
    """The states of models, from the running server; empty if it does not answer."""
    import json
    import os
    import urllib.request

    from app.cli.server_address import address, trusting_its_certificate

    host = address(settings.server)
    scheme = "https" if settings.server.certificate else "http"
    key = os.environ.get("OPENAI_API_KEY") or next(iter(settings.auth.keys), "none")
    request = urllib.request.Request(  # noqa: S310 - one of two schemes
        f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.server.port}/v1/models",
        headers={"Authorization": f"Bearer {key}"},
    )
    try:
        # No proxy: the server is on this machine or beside it.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if settings.server.certificate:
            trust = trusting_its_certificate(settings.server.certificate)
            handlers.append(urllib.request.HTTPSHandler(context=trust))
        opener = urllib.request.build_opener(*handlers)
        with opener.open(request, timeout=2) as answer:
            models = json.load(answer)["data"]
            return {model["id"]: model.get("state", "") for model in models}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _state(store: WeightsStore, model: str) -> str:
    states = {check.state for check in store.check(model)}
    if states == {"ok"}:
        return "ready"
    return "damaged" if "damaged" in states else "absent" if states == {"absent"} else "incomplete"
