"""What an image must do: start read-only as its user, transcribe and speak, stop in order, stay small."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.image_test.box import Box, Running, as_json, first_key, multipart
from deploy.image_test.buildah import Builder, Image
from deploy.image_test.tools import call, demand

MOST_BYTES = {"cpu": 1_000_000_000, "gpu": 2_200_000_000}
USER = "10001:0"
OTHER_USER = "1234567:0"
"""Some platforms run containers as a random user of group 0."""
FORBIDDEN_PROGRAMS = ("gcc", "make", "git", "pytest")
SENTENCE = "ask what you can do for your country"
STOPPED = {0, 128 + 15}
"""Exit statuses after SIGTERM: the server's own end, or the signal that it raises again."""
JFK = Path("tests/data/jfk.flac")


def check(builder: Builder, target: str, base: str, project: Path, weights: Path, work: Path) -> None:
    """Builds one target and checks it. Raises `Failed`."""
    name = builder.build(project, target, base)
    with builder.opened(name) as image:
        check_settings(image)
        check_files(image, target)
        check_runs(image, project, weights, work / target)


def check_settings(image: Image) -> None:
    """Checks the settings in the image that an orchestrator reads. Raises `Failed`."""
    demand(image.user == USER, f"The user must be numeric and of group 0, not {image.user!r}.")
    demand(image.health[-2:] == (".venv/bin/antiphon", "health"), f"The health check is {image.health}.")
    demand(image.stop_signal == "SIGTERM", f"The stop signal is {image.stop_signal!r}.")
    demand(image.volumes == ("/data",), f"The volumes are {image.volumes}.")
    data = (image.root / "data").stat()
    demand((data.st_uid, data.st_gid) == (10001, 0), "/data does not belong to the user and to group 0.")
    demand(data.st_mode & 0o777 == 0o775, "The group has not the same rights on /data as the user.")


def check_files(image: Image, target: str) -> None:
    """What is in the image: neither too much, nor what only a build needs."""
    size = int(call("du", "--summarize", "--bytes", "--one-file-system", image.root).split()[0])
    venv = int(call("du", "--summarize", "--bytes", image.root / "srv/antiphon/.venv").split()[0])
    print(f"{target}: {size / 1e6:,.0f} MB, of which .venv {venv / 1e6:,.0f} MB")
    demand(size <= MOST_BYTES[target], f"More than {MOST_BYTES[target] / 1e6:,.0f} MB.")
    packages = next(image.root.glob("srv/antiphon/.venv/lib/python3*/site-packages"))
    cublas = (packages / "nvidia/cublas/lib/libcublas.so.12").exists()
    demand(cublas == (target == "gpu"), f"cuBLAS is {'' if cublas else 'not '}in the image.")
    demand(not (packages / "torch").exists(), "PyTorch is in the image; only ALL=1 brings it.")
    demand(not (packages / "pip").exists(), "pip is in the environment.")
    cached = list(image.root.glob("root/.cache/*"))
    demand(not cached, f"Caches of the build are in the image: {cached}.")
    found = [name for name in FORBIDDEN_PROGRAMS if shutil.which(name, path=_path(image))]
    demand(not found, f"The image has programs that only a build needs: {found}.")


def _path(image: Image) -> str:
    folders = image.env.get("PATH", "").split(":")
    return os.pathsep.join(str(image.root / folder.lstrip("/")) for folder in folders)


def check_runs(image: Image, project: Path, weights: Path, work: Path) -> None:
    """Runs the image as its user on an empty volume, again on the full one, and as any user of group 0."""
    data = volume(image, work / "data")
    with started(image, weights, data, USER, work / "first.log") as (server, _):
        key = first_key(server.log)
        check_confinement(server.box)
        check_sound(server, key, project / JFK)
        print(f"memory of the server and its models: {server.memory_bytes / 1e6:,.0f} MB")
        code, seconds = server.stop(image.stop_signal)
        print(f"{image.stop_signal}: exit status {code} after {seconds:.1f} s")
        demand(code in STOPPED, f"The exit status is {code}.")
    with started(image, weights, data, USER, work / "second.log") as (server, seconds):
        print(f"second start, from the volume: healthy after {seconds:.1f} s")
        demand("sk-" not in server.log.read_text(), "A second start made a second key.")
        models = server.ask("/v1/models", authorization=f"Bearer {key}")
        demand(as_json(models)["data"], "No model is listed.")
    with started(image, weights, volume(image, work / "other"), OTHER_USER, work / "other.log") as (
        _,
        seconds,
    ):
        print(f"as user {OTHER_USER}: healthy after {seconds:.1f} s")


@contextmanager
def started(image: Image, weights: Path, data: Path, user: str, log: Path) -> Iterator[tuple[Running, float]]:
    """A healthy server and the seconds that it took; it is stopped at the end."""
    port = free_port()
    settings = {
        "ANTIPHON_SERVER_HOST": "127.0.0.1" if user == "" else image.env["ANTIPHON_SERVER_HOST"],
        "ANTIPHON_SERVER_PORT": str(port),
        "ANTIPHON_WEIGHTS_OFFLINE": "true",
        "ANTIPHON_WEIGHTS_MIRRORS": "/tmp/weights",  # noqa: S108 - in the box
    }
    box = Box(image=image, data=data, user=user, settings=settings, read_only={"weights": weights})
    server = Running(box, log, port)
    try:
        seconds = server.until_healthy()
        print(f"healthy after {seconds:.1f} s on {data.name}")
        yield server, seconds
    finally:
        if server.process.poll() is None:
            server.stop(image.stop_signal)


def volume(image: Image, folder: Path) -> Path:
    """An empty volume, with the owner and the rights of the image's folder, as Docker makes named ones."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    told = (image.root / "data").stat()
    os.chown(folder, told.st_uid, told.st_gid)
    folder.chmod(told.st_mode & 0o7777)
    return folder


def check_confinement(box: Box) -> None:
    """The user, its capabilities, and what it can write."""
    status = box.call("cat", "/proc/self/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    demand(facts["Uid"].split() == ["10001"] * 4, f"The user is {facts['Uid']}.")
    for capabilities in ("CapEff", "CapPrm", "CapBnd"):
        demand(int(facts[capabilities], 16) == 0, f"{capabilities} is {facts[capabilities]}.")
    demand(facts["NoNewPrivs"] == "1", "New privileges can be gained.")
    demand(box.call("touch", "/srv/antiphon/x").returncode != 0, "The root can be written.")
    demand(box.call("touch", "/data/x").returncode == 0, "The volume cannot be written.")


def check_sound(server: Running, key: str, recording: Path) -> None:
    """Transcribes a recording, speaks a sentence, and transcribes that."""
    text = transcribed(server, key, recording)
    demand(SENTENCE in text, f"The recording was heard as {text!r}.")
    body = json.dumps({"model": "tts-1", "voice": "alloy", "input": SENTENCE, "response_format": "wav"})
    sound = server.ask(
        "/v1/audio/speech", body.encode(), authorization=f"Bearer {key}", content_type="application/json"
    )
    spoken = server.log.with_suffix(".wav")
    spoken.write_bytes(sound)
    heard = transcribed(server, key, spoken)
    demand(SENTENCE in heard.lower(), f"The speech was heard as {heard!r}.")
    print(f"transcribed: {text}\nspoken and transcribed: {heard}")


def transcribed(server: Running, key: str, file: Path) -> str:
    body, kind = multipart({"model": "whisper-1"}, file)
    answer = server.ask("/v1/audio/transcriptions", body, authorization=f"Bearer {key}", content_type=kind)
    return str(as_json(answer)["text"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
