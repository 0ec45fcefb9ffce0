"""`antiphon serve` says what is wrong before it loads anything, and ends with exit status 1."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.server import ANTIPHON, environment, free_port, run_cli
from tests.support.waiting import wait_until


def test_a_taken_port_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_cli(tmp_path, "serve", "--prepare", "--port", str(port))
    assert done.returncode == 1
    assert done.stderr == f"antiphon: Port {port} is taken. Set `server.port` or --port.\n"
    assert not list(tmp_path.rglob("*.bin"))


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_an_impossible_port_is_refused_in_words(tmp_path: Path, port: str) -> None:
    done = run_cli(tmp_path, "serve", "--port", port)
    assert done.returncode == 1
    assert done.stderr.startswith("antiphon: The setting `server.port` is wrong: ")
    assert "Traceback" not in done.stderr


def test_an_address_of_another_machine_is_refused_in_words(tmp_path: Path) -> None:
    for host in ("192.0.2.1", "no.such.host.invalid"):
        done = run_cli(tmp_path, "serve", "--host", host)
        assert done.returncode == 1
        assert (
            done.stderr == f"antiphon: This machine has no address `{host}`. Set `server.host` or --host.\n"
        )


def test_a_crash_in_native_code_leaves_its_stack(tmp_path: Path) -> None:
    settings = {"MODELS_PRELOAD": "[]", "SERVER_PORT": str(free_port())}
    env = environment(tmp_path, **settings)
    subprocess.run([ANTIPHON, "db", "upgrade"], env=env, check=True, timeout=60)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([ANTIPHON, "serve"], env=env, stdout=output, stderr=output)
        wait_until(lambda: "startup complete" in log.read_text(), 60, "the server starts")
        process.send_signal(signal.SIGSEGV)
        assert process.wait(30) == -signal.SIGSEGV
    text = log.read_text()
    assert "Fatal Python error: Segmentation fault" in text
    assert "uvicorn" in text
