"""The real HTTP server in a process of its own, with fakes as engines: connections and stops need no weights.

Run as a module, it serves with the settings of the environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.server import KEY, Server, environment, free_port, wait_for

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(folder: Path, *, seconds: float = 0.0, **settings: str) -> Iterator[Server]:
    """A server whose transcriber takes `seconds` for each window; its log is `folder/log`.

    A test may end the process itself.
    """
    port = free_port()
    (folder / "model").mkdir(parents=True, exist_ok=True)
    (folder / "weights" / "tones").mkdir(parents=True, exist_ok=True)
    (folder / "weights" / "tones" / "tone.onnx").touch()
    usual = {
        "AUTH_KEYS": KEY,
        "SERVER_PORT": str(port),
        "MODELS_ALIASES": f'{{ "whisper-1" = "{folder / "model"}" }}',
        "MODELS_PRELOAD": "[]",
        "TRANSCRIPTION_VAD": "false",
        "SPEECH_VOICES": '{ "alloy" = ["high"], "echo" = ["low"] }',
    }
    env = environment(folder, **(usual | settings)) | {"FAKE_SECONDS": str(seconds)}
    with (folder / "log").open("wb") as output:
        command = [sys.executable, "-m", "tests.support.fake_server"]
        process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=output, stderr=output)
        server = Server(f"http://127.0.0.1:{port}", process, {"LOG": str(folder / "log")})
        try:
            wait_for(server, "/health/live", folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main() -> None:
    from app.api.server import Server as HttpServer
    from app.api.server import listen
    from app.container import Container
    from app.main import create_app
    from app.settings.source import load_settings
    from app.store.schema import upgrade
    from app.telemetry import set_up_logging
    from tests.support.engines import EchoTranscriber, ToneEngine, ToneSynthesizer, engines_of

    settings = load_settings()
    upgrade(settings.database_url)
    set_up_logging(settings.log.level, settings.log.format)
    transcriber = EchoTranscriber(float(os.environ["FAKE_SECONDS"]))
    engine = ToneEngine(ToneSynthesizer())
    container = Container(settings, lambda _: engines_of(transcriber), lambda _: engine)
    server = HttpServer(create_app(container), settings)
    server.run(listen(settings.server.host, settings.server.port))


if __name__ == "__main__":
    main()
