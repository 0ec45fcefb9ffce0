"""A server that fails after it began to load models leaves nothing behind."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import resource
import signal
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.api import open_files
from app.api.listening import CannotListen
from app.api.tls import CertificateUnusable
from app.cli import serve
from app.container import Container
from app.settings import Settings
from app.settings.load import load_settings
from engines.types import EngineOptions
from tests.support.fake_engines import EchoTranscriber


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "model").mkdir()
    given = {
        "ANTIPHON_STORAGE_FOLDER": str(tmp_path),
        "ANTIPHON_SERVER_PORT": "0",
        "ANTIPHON_RUNTIME_PLACEMENT": "threads",
        "ANTIPHON_MODELS_ALIASES": f'{{ "whisper-1" = "{tmp_path / "model"}" }}',
        "ANTIPHON_MODELS_PRELOAD": "whisper-1",
    }
    return load_settings(None, given)


@pytest.mark.parametrize("failure", [CertificateUnusable("no certificate"), KeyboardInterrupt()])
def test_a_failure_after_preload_closes_what_was_loaded(
    settings: Settings, engine: EchoTranscriber, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    steps: list[str] = []
    loaded = threading.Event()

    def load(folder: Path, options: EngineOptions) -> EchoTranscriber:
        steps.append("load")
        loaded.set()
        return engine

    def failing(*_: object) -> None:
        assert loaded.wait(30)
        raise failure

    limits = SimpleNamespace(
        RLIMIT_NOFILE=resource.RLIMIT_NOFILE,
        RLIM_INFINITY=resource.RLIM_INFINITY,
        getrlimit=lambda _: (256, 1 << 20),
        setrlimit=lambda *_: steps.append("limit"),
    )
    monkeypatch.setattr(open_files, "resource", limits)
    monkeypatch.setattr("app.container.Container", lambda settings: Container(settings, lambda _: load))
    monkeypatch.setattr("app.api.server.Server", failing)
    with pytest.raises(type(failure)):
        serve._run(settings)
    assert steps == ["limit", "load"]
    assert engine.closed


def test_a_container_that_was_opened_is_not_abandoned(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []

    async def close(container: Container) -> None:
        closed.append(True)

    monkeypatch.setattr(Container, "close", close)
    container = Container(settings)
    monkeypatch.setattr(container, "_opened", True)
    container.abandon()
    assert closed == []


def test_ctrl_c_during_imports_is_told_after_them() -> None:
    before, done = signal.getsignal(signal.SIGINT), []

    def imports() -> None:
        with serve._interrupts_held():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        imports()
    assert done == [True]
    assert signal.getsignal(signal.SIGINT) is before


def test_python_looks_for_garbage_from_when_the_server_runs(
    settings: Settings, engine: EchoTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before: imports make hardly any. Python's lock changes hands more often from then on."""
    looks: list[bool] = []
    switches: list[float] = []

    class QuietServer:
        started = True

        def __init__(self, *_: object) -> None:
            looks.append(gc.isenabled())

        def run(self, sockets: list[socket.socket]) -> None:
            looks.append(gc.isenabled())
            for opened in sockets:
                opened.close()

    monkeypatch.setattr(serve, "_settings", lambda *_: settings)
    monkeypatch.setattr(serve, "_preflight", lambda _: asyncio.sleep(0))
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(sys, "setswitchinterval", switches.append)
    monkeypatch.setattr("app.logs.set_up_logging", lambda *_: None)
    monkeypatch.setattr(faulthandler, "enable", lambda: None)
    monkeypatch.setattr("app.container.Container", lambda settings: Container(settings, lambda _: load))
    monkeypatch.setattr("app.api.server.Server", QuietServer)

    def load(folder: Path, options: EngineOptions) -> EchoTranscriber:
        return engine

    serve.serve()
    assert looks == [False, True]
    assert switches == [serve.SWITCH_SECONDS]
    assert gc.isenabled()


def test_python_looks_for_garbage_after_a_start_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        looks.append(gc.isenabled())
        raise CertificateUnusable("no certificate")

    looks: list[bool] = []
    monkeypatch.setattr(serve, "_settings", refuse)
    with pytest.raises(CertificateUnusable):
        serve.serve()
    assert looks == [False]
    assert gc.isenabled()


@pytest.mark.parametrize(("placement", "told"), [("threads", []), ("processes", [True]), ("ray", [True])])
def test_the_heap_of_a_server_without_models_gives_windows_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, placement: str, told: list[bool]
) -> None:
    def refuse(*_: object) -> None:
        raise CannotListen("no address")

    seen: list[bool] = []
    monkeypatch.setattr("engines.heap.is_without_models", lambda: seen.append(True))
    monkeypatch.setattr("app.api.listening.listen", refuse)
    runtime = settings.runtime.model_copy(update={"placement": placement})
    with pytest.raises(CannotListen):
        serve._run(settings.model_copy(update={"runtime": runtime}))
    assert seen == told
