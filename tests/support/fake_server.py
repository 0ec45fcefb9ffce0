"""The real HTTP server in its own process with fake engines, for tests of connections and shutdowns.

Run as a module, it serves with the settings of the environment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.server import KEY, Server, environment, free_port, wait_for

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(
    folder: Path,
    trust: ssl.SSLContext | None = None,
    /,
    *,
    seconds: float = 0.0,
    head: str = "",
    engines: str = "echo",
    fresh: str = "",
    **settings: str,
) -> Iterator[Server]:
    """A server whose transcriber takes `seconds` for each window; its log is `folder/log`.

    `trust`: the TLS context of clients, if the server has a certificate. `head`: the newest revision of the
    schema that it knows, for a server that pretends to be of an older version. `engines`: if `scripted`, the
    transcriber obeys prompts (`scripted_engines.py`) in a process of its own, and uploads are decoded in
    others. A test may end the server's process itself, and give a port.
    """
    port = int(settings.get("SERVER_PORT") or free_port())
    (folder / "model").mkdir(parents=True, exist_ok=True)
    (folder / "weights" / "tones").mkdir(parents=True, exist_ok=True)
    (folder / "weights" / "tones" / "tone.onnx").touch()
    # Consents and voices load the model that tells voices apart before they read a recording.
    names = ", ".join(f'"{name}" = "{folder / "model"}"' for name in ("whisper-1", "pyannote-starter"))
    usual = {
        "AUTH_KEYS": KEY,
        "SERVER_PORT": str(port),
        "MODELS_ALIASES": f"{{ {names} }}",
        "MODELS_PRELOAD": "[]",
        "TRANSCRIPTION_VAD": "false",
        "DIARIZATION_MODEL": str(folder / "weights"),
        "SPEECH_VOICES": '{ "alloy" = ["high"], "echo" = ["low"] }',
    }
    env = environment(folder, **(usual | settings)) | {
        "FAKE_SECONDS": str(seconds),
        "FAKE_HEAD": head,
        "FAKE_ENGINES": engines,
        "FAKE_FRESH": fresh,
    }
    with (folder / "log").open("wb") as output:
        command = [sys.executable, "-m", "tests.support.fake_server"]
        process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=output, stderr=output)
        scheme = "https" if trust else "http"
        server = Server(f"{scheme}://127.0.0.1:{port}", process, {"LOG": str(folder / "log")})
        try:
            wait_for(server, "/health/live", folder / "log", trust)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Heartbeat:
    """Measures the longest time for which the event loop's thread worked without a pause, in seconds of CPU
    time.
    """

    def __init__(self) -> None:
        self._longest = 0.0
        self._task: asyncio.Task[None] | None = None

    async def read(self) -> float:
        """The longest time since the last reading. The first reading starts the measurement."""
        self._task = self._task or asyncio.create_task(self._beat())
        longest, self._longest = self._longest, 0.0
        return longest

    async def _beat(self) -> None:
        used = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self._longest, used = max(self._longest, now - used), now
            await asyncio.sleep(0.002)


async def burn() -> None:
    """Blocks the event loop, which no handler may do, so that a test can show that the measurement notices
    it.
    """
    until = time.thread_time() + 0.2
    while time.thread_time() < until:
        pass


def main() -> None:
    from app.api.listening import listen
    from app.api.server import Server as HttpServer
    from app.container import Container
    from app.logs import set_up_logging
    from app.main import create_app
    from app.services import keys
    from app.settings.load import load_settings
    from app.settings.one_process import in_one_process
    from app.store import migrations, schema_check
    from tests.support.fake_diarizer import ToneDiarization, ToneDiarizer
    from tests.support.fake_engines import EchoTranscriber, SlowlySpeaking, ToneEngine, engines_of
    from tests.support.scripted_engines import FINDER

    scripted = os.environ["FAKE_ENGINES"] == "scripted"
    settings = load_settings() if scripted else in_one_process(load_settings())
    if fresh := os.environ["FAKE_FRESH"]:
        vars(keys)["FRESH_SECONDS"] = float(fresh)
    if head := os.environ["FAKE_HEAD"]:
        vars(schema_check)["HEAD"] = vars(migrations)["HEAD"] = head
    migrations.upgrade(settings.database_url)
    set_up_logging(settings.log.level, settings.log.format)
    transcriber = EchoTranscriber(float(os.environ["FAKE_SECONDS"]))
    engine, speakers = ToneEngine(SlowlySpeaking()), ToneDiarization(ToneDiarizer())
    if scripted:  # the finders must be picklable
        container = Container(settings, FINDER.transcribers, FINDER.synthesizers, FINDER.diarizers)
    else:
        container = Container(
            settings, lambda _: engines_of(transcriber), lambda _: engine, lambda _: speakers
        )
    app = create_app(container)
    app.add_api_route("/test/longest", Heartbeat().read)
    app.add_api_route("/test/burn", burn)
    server = HttpServer(app, settings)
    server.run(listen(settings.server.host, settings.server.port))


if __name__ == "__main__":
    main()
