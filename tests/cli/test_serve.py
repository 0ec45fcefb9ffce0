"""`antiphon serve` says what is wrong before it loads anything, and ends with exit status 1."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.conftest import ROOT
from tests.support.server import ANTIPHON, environment, free_port, run_cli
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


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
    assert done.returncode == 2
    assert f"'--port': {port} is not in the range" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_of_another_machine_is_refused_in_words(tmp_path: Path) -> None:
    for host in ("192.0.2.1", "no.such.host.invalid"):
        done = run_cli(tmp_path, "serve", "--host", host)
        assert done.returncode == 1
        assert (
            done.stderr == f"antiphon: This machine has no address `{host}`. Set `server.host` or --host.\n"
        )


def test_several_servers_do_not_start_on_sqlite(tmp_path: Path) -> None:
    done = run_cli(tmp_path, "serve", "--prepare", settings={"SERVER_REPLICAS": "2"})
    assert done.returncode == 1
    assert "`server.replicas` is 2, and the database is SQLite" in done.stderr
    assert not list(tmp_path.iterdir()), "nothing is fetched or made"


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
    assert "(most recent call first)" in text
    assert "runtime/" in text or "uvicorn" in text  # the line comes from whichever thread wrote first


def test_a_server_that_others_can_reach_gets_a_first_key(tmp_path: Path) -> None:
    """As in a container: it is shown once, and a second start makes none."""
    settings = {
        "MODELS_PRELOAD": "[]",
        "WEIGHTS_OFFLINE": "true",
        "SERVER_HOST": "0.0.0.0",  # noqa: S104 - what is tested
        "SERVER_PORT": str(free_port()),
    }
    env = environment(tmp_path, **settings)
    shown = []
    log = tmp_path / "log"
    for _ in range(2):
        with log.open("wb") as output:
            process = subprocess.Popen(
                [ANTIPHON, "serve", "--prepare"], env=env, stdout=output, stderr=output
            )
            wait_until(lambda: "startup complete" in log.read_text(), 60, "the server starts")
            shown.append(re.findall(r"It is shown only now: (sk-\S+)", log.read_text()))
            models = f"http://127.0.0.1:{settings['SERVER_PORT']}/v1/models"
            assert httpx2.get(models).status_code == 401
            key = {"authorization": f"Bearer {shown[0][0]}"}
            assert httpx2.get(models, headers=key).status_code == 200
            process.terminate()
            process.wait(30)
    assert [len(keys) for keys in shown] == [1, 0]


def test_on_this_machine_alone_no_key_is_made(tmp_path: Path) -> None:
    env = environment(tmp_path, MODELS_PRELOAD="[]", WEIGHTS_OFFLINE="true", SERVER_PORT=str(free_port()))
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([ANTIPHON, "serve", "--prepare"], env=env, stdout=output, stderr=output)
        wait_until(lambda: "startup complete" in log.read_text(), 60, "the server starts")
        process.terminate()
        process.wait(30)
    assert "sk-" not in log.read_text()


def test_the_container_is_not_open() -> None:
    for name in ("compose.yaml", "Dockerfile"):
        assert "ALLOW_OPEN" not in (ROOT / name).read_text()
