"""`antiphon doctor` and `antiphon config`: what is wrong on this machine, and what to do about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from app.cli.options import Config

if TYPE_CHECKING:
    from app.settings import Settings

Verdict = Literal["ok", "note", "wrong"]
READY_SECONDS = 5.0
MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "wrong": ("✗", "red")}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    subject: str
    verdict: Verdict
    sentence: str
    """The finding and, if something is wrong, what to do."""


def doctor(config: Config = None) -> None:
    """Check this machine and say what to do.

    Version, settings, storage folder, codecs, engine, weights, database, GPU, certificate and port.
    The exit status is 1 if something is wrong.

    Example:
        antiphon doctor
    """
    from app.cli.tables import printable
    from app.settings.load import load_settings

    settings = load_settings(config)
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _folder, _codecs, _engine, _weights, _database, _start, _gpu, _onnx, _openvino, _certificate, _port,
    )  # fmt: skip
    findings = [_version(), _settings(config), *(check(settings) for check in checks)]
    for finding in findings:
        mark, colour = MARKS[finding.verdict]
        typer.secho(mark, fg=colour, nl=False)
        print(f" {finding.subject}: {printable(finding.sentence)}")
    wrong = sum(finding.verdict == "wrong" for finding in findings)
    if wrong:
        from app.cli.tables import counted

        print(f"{counted(wrong, 'problem')}. Each line above that begins with ✗ says what to do.")
        raise typer.Exit(1)
    print("Nothing is wrong.")


def config() -> None:
    """Print a settings file with every setting.

    Example:
        antiphon config > config.toml
    """
    from app.settings.example import example_toml

    sys.stdout.write(example_toml())


def _version() -> Finding:
    import platform

    from app import __version__

    python = platform.python_version()
    sentence = f"Antiphon {__version__}, Python {python}, {platform.platform()}, {os.cpu_count()} cores"
    return Finding("Version", "ok", sentence)


def _settings(named: Path | None) -> Finding:
    from app.settings.default_paths import settings_file, usual_files

    used = settings_file(named, os.environ)
    if used:
        return Finding("Settings", "ok", f"read from {used.absolute()}")
    looked = " or ".join(dict.fromkeys(str(path) for path in usual_files()))
    return Finding("Settings", "ok", f"defaults and environment; there is no {looked}")


def _folder(settings: Settings) -> Finding:
    folder = settings.folder
    near = next(path for path in (folder, *folder.parents) if path.exists())
    if not near.is_dir():
        return Finding("Storage folder", "wrong", f"{near} is a file; set `storage.folder`")
    if os.access(near, os.W_OK):
        return Finding(
            "Storage folder", "ok", f"{folder}" + ("" if folder.exists() else ", which does not exist yet")
        )
    return Finding("Storage folder", "wrong", f"{folder} cannot be written; set `storage.folder`")


def _codecs(_: Settings) -> Finding:
    from importlib.metadata import version

    from app.audio.ffmpeg_build import missing_decoders

    try:
        missing = missing_decoders()
    except ImportError as wrong:
        return Finding("Codecs", "wrong", f"PyAV cannot be loaded ({wrong}); run `make install` again")
    if missing:
        return Finding("Codecs", "wrong", f"this build of PyAV lacks {', '.join(missing)}; install its wheel")
    return Finding("Codecs", "ok", f"PyAV {version('av')} decodes all common formats")


def _engine(_: Settings) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Finding("Engine", "ok", f"faster-whisper {version('faster-whisper')}")
    except PackageNotFoundError:
        return Finding(
            "Engine", "wrong", "faster-whisper is not installed; run `make install` in the checkout"
        )


def _weights(settings: Settings) -> Finding:
    from app.cli.failures import sentence_of
    from app.container import weights_store
    from app.models.errors import WeightsError

    store = weights_store(settings)
    models = sorted({settings.models.aliases.get(name, name) for name in settings.models.preload})
    try:
        for model in models:
            if not Path(model).is_absolute():
                store.require(model)
    except WeightsError as wrong:
        return Finding("Weights", "wrong", str(sentence_of(wrong)))
    return Finding("Weights", "ok", f"{', '.join(models) or 'no model is preloaded'}")


def _database(settings: Settings) -> Finding:
    import asyncio

    from app.store.database import Database, DatabaseError
    from app.store.schema_check import check_schema

    async def check() -> None:
        database = Database(settings.database_url)
        try:
            await check_schema(database)
        finally:
            await database.close()

    try:
        asyncio.run(check())
    except DatabaseError as wrong:
        return Finding("Database", "wrong", str(wrong))
    return Finding("Database", "ok", "reachable, schema up to date")


def _start(settings: Settings) -> Finding:
    """The checks that `antiphon serve` makes before it starts, with the same messages."""
    import asyncio

    from app.container import StartRefused, check_start
    from app.services.keys import KeyService
    from app.store.database import Database, DatabaseError
    from app.store.keys import KeyStore

    async def check() -> None:
        database = Database(settings.database_url)
        try:
            await check_start(settings, database, KeyService(KeyStore(database), settings.auth.keys))
        finally:
            await database.close()

    try:
        asyncio.run(check())
    except StartRefused as wrong:
        return Finding("Start", "wrong", str(wrong))
    except DatabaseError:
        return Finding("Start", "note", "not checked, because the database cannot be used")
    return Finding("Start", "ok", "the settings of addresses, keys and models fit together")


def _gpu(settings: Settings) -> Finding:
    from app.cli.doctor_gpu import gpu_verdict
    from engines import cuda_libraries
    from engines.gpus import ask

    found = ask()
    verdict, sentence = gpu_verdict(
        settings, found, cuda_libraries.preload() if found else [], cuda_libraries.PACKAGE
    )
    return Finding("GPU", verdict, sentence)


def _onnx(settings: Settings) -> Finding:
    from app.cli.doctor_gpu import onnx_verdict

    try:
        import onnxruntime
    except ImportError as wrong:
        return Finding("Speech, speakers", "wrong", f"ONNX Runtime cannot be loaded ({wrong})")
    providers = onnxruntime.get_available_providers()
    return Finding("Speech, speakers", *onnx_verdict(settings, onnxruntime.__version__, providers))


def _openvino(settings: Settings) -> Finding:
    from app.cli.doctor_openvino import openvino_verdict
    from engines.openvino_library import bfloat16_is_quicker, computes_in_bfloat16, import_openvino

    try:
        version, able, quicker = import_openvino().__version__, computes_in_bfloat16(), bfloat16_is_quicker()
    except ImportError:
        version, able, quicker = None, False, False
    return Finding("OpenVINO", *openvino_verdict(settings, version, bfloat16=able, quicker=quicker))


def _certificate(settings: Settings) -> Finding:
    from app.cli.doctor_tls import certificate_verdict

    return Finding("Certificate", *certificate_verdict(settings))


def _port(settings: Settings) -> Finding:
    from app.api.listening import CannotListen, listen

    server = settings.server
    try:
        for opened in listen(server.host, server.port):
            opened.close()
    except CannotListen as wrong:
        return _running(settings, str(wrong))
    return Finding("Port", "ok", f"{server.host}:{server.port} is free")


def _running(settings: Settings, taken: str) -> Finding:
    """What the server on that port says of itself, if it is Antiphon."""
    from app.cli.health_probe import NoAnswer, health_of

    server = settings.server
    try:
        health = health_of(settings, "/health/ready", READY_SECONDS)
    except NoAnswer:
        return Finding("Port", "note", f"{taken} What is there does not answer as Antiphon does.")
    where = f"the server that runs on {server.host}:{server.port}"
    told = "; ".join(
        f"{name} {problem}" for name, problem in (health.problems | health.crashed_models).items()
    )
    if health.problems:
        return Finding("Port", "wrong", f"{where} is not ready: {told}")
    if told:
        return Finding("Port", "wrong", f"{where} is ready, but not all of its models: {told}")
    return Finding("Port", "ok", f"{where} is ready")
