"""`antiphon doctor` and `antiphon config`: what is wrong here, and what to do."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from app.settings import Settings

Verdict = Literal["ok", "note", "wrong"]
MARKS = {"ok": "[green]✓[/green]", "note": "[yellow]·[/yellow]", "wrong": "[red]✗[/red]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    told: str
    """What was found and, where something is wrong, what to do."""


def doctor(config: Annotated[Path | None, typer.Option(help="Settings file.")] = None) -> None:
    """Check this machine: Python, codecs, engine, weights, database, GPU, port. Exits with 1 if one is wrong.

    Example:
        antiphon doctor
    """
    from rich.console import Console
    from rich.markup import escape

    from app.settings.source import load_settings

    settings = load_settings(config)
    console = Console(highlight=False)
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _python, _folder, _codecs, _engine, _weights, _database, _gpu, _port,
    )  # fmt: skip
    findings = [check(settings) for check in checks]
    for finding in findings:
        console.print(f"{MARKS[finding.verdict]} {finding.what}: {escape(finding.told)}", soft_wrap=True)
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)


def config() -> None:
    """Print a settings file with every setting, its default and one sentence.

    Example:
        antiphon config > config.toml
    """
    from app.settings.example import example_toml

    sys.stdout.write(example_toml())


def _python(_: Settings) -> Finding:
    good = sys.version_info >= (3, 11)
    told = f"{platform.python_version()}, {os.cpu_count()} cores"
    return Finding("Python", "ok" if good else "wrong", told if good else f"{told}; 3.11 or newer is needed")


def _folder(settings: Settings) -> Finding:
    folder = settings.folder
    near = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(near, os.W_OK):
        return Finding("Storage folder", "ok", str(folder))
    return Finding("Storage folder", "wrong", f"{folder} cannot be written; set `storage.folder`")


def _codecs(_: Settings) -> Finding:
    from app.audio.codecs import missing_decoders

    try:
        missing = missing_decoders()
    except ImportError as wrong:
        return Finding("Codecs", "wrong", f"PyAV cannot be loaded ({wrong}); run `make serve` again")
    if missing:
        return Finding("Codecs", "wrong", f"this build of PyAV lacks {', '.join(missing)}; install its wheel")
    return Finding("Codecs", "ok", f"PyAV {version('av')} decodes all common formats")


def _engine(_: Settings) -> Finding:
    try:
        return Finding("Engine", "ok", f"faster-whisper {version('faster-whisper')}")
    except PackageNotFoundError:
        return Finding("Engine", "wrong", "faster-whisper is absent; run `pip install 'antiphon[whisper]'`")


def _weights(settings: Settings) -> Finding:
    from app.container import weights_store
    from app.models.errors import WeightsError

    store = weights_store(settings)
    wanted = sorted({settings.models.aliases.get(name, name) for name in settings.models.preload})
    try:
        for model in wanted:
            if not Path(model).is_absolute():
                store.require(model)
    except WeightsError as wrong:
        return Finding("Weights", "wrong", str(wrong))
    return Finding("Weights", "ok", f"{', '.join(wanted) or 'none are preloaded'}")


def _database(settings: Settings) -> Finding:
    from app.store.database import Database, DatabaseError

    async def check() -> None:
        database = Database(settings.database_url)
        try:
            await database.check()
        finally:
            await database.close()

    try:
        asyncio.run(check())
    except DatabaseError as wrong:
        return Finding("Database", "wrong", str(wrong))
    return Finding("Database", "ok", "reachable, schema up to date")


def _gpu(settings: Settings) -> Finding:
    try:
        import ctranslate2

        count = ctranslate2.get_cuda_device_count()
    except ImportError:
        return Finding("GPU", "note", "unknown, CTranslate2 is absent")
    if count:
        return Finding("GPU", "ok", f"{count} CUDA device(s)")
    asked = settings.transcription.device == "cuda"
    told = "none that CUDA can use; models run on the CPU"
    return Finding("GPU", "wrong" if asked else "note", told if not asked else f"{told}, set `device`")


def _port(settings: Settings) -> Finding:
    server = settings.server
    address = f"{server.host}:{server.port}"
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
        except OSError as wrong:
            return Finding(
                "Port",
                "note",
                f"{address} is taken ({wrong.strerror}): a running server, or set `server.port`",
            )
    return Finding("Port", "ok", f"{address} is free")
