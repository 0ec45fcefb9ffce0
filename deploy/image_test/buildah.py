"""Builds the image with buildah, and opens it as a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.image_test.tools import call, show

BASE = "localhost/antiphon-base"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
EXCLUDED = ("doc", "info", "locale", "man")
"""Folders of /usr/share that Debian's own slim images lack too."""
CERTIFICATES = Path("/etc/ssl/certs")


@dataclass(frozen=True)
class Image:
    """What the image says about how to run it."""

    root: Path
    """Its files, mounted."""
    command: tuple[str, ...]
    health: tuple[str, ...]
    env: dict[str, str]
    user: str
    stop_signal: str
    folder: str
    volumes: tuple[str, ...]


class Builder:
    """buildah with a storage of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tool = (
            "buildah", "--root", str(folder / "storage"), "--runroot", str(folder / "run"),
            "--storage-driver", os.environ.get("STORAGE_DRIVER", "overlay"),
        )  # fmt: skip

    def base(self) -> str:
        """A stand-in for the official Python image, from Debian 12's packages; made once."""
        if BASE in call(*self._tool, "images", "--format", "{{.Name}}"):
            return BASE
        tar = self._folder / "base.tar"
        if not tar.exists():
            part = tar.with_suffix(".part.tar")
            without = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in EXCLUDED]
            show(
                ["mmdebstrap", "--variant=minbase", *without, f"--include={BASE_PACKAGES}", "bookworm", part]
            )
            part.rename(tar)
        made = call(*self._tool, "from", "scratch").strip()
        call(*self._tool, "add", made, tar, "/")
        python = ("ln", "-s", "/usr/bin/python3", "/usr/local/bin/python")
        call(*self._tool, "run", "--isolation", "chroot", made, "--", *python)
        call(*self._tool, "commit", "--rm", made, BASE)
        return BASE

    def build(self, project: Path, target: str, base: str) -> str:
        """Builds a target of the Dockerfile, and returns the image's name.

        `base`: the base image; empty for the one that the Dockerfile names.
        """
        name = f"localhost/antiphon:{target}"
        given = ["--build-arg", f"BASE={base}", "--pull-never"] if base else ["--pull"]
        if CERTIFICATES.is_dir() and os.environ.get("PIP_CERT"):  # behind a proxy that inspects TLS
            given += [
                "--volume",
                f"{CERTIFICATES}:{CERTIFICATES}:ro",
                "--env",
                f"PIP_CERT={os.environ['PIP_CERT']}",
            ]
        show(
            [*self._tool, "bud", "--isolation", "chroot", "--network", "host", "--layers=false",
             "--format", "docker", *given, "--target", target, "--tag", name,
             "--file", project / "Dockerfile", project]
        )  # fmt: skip
        return name

    @contextmanager
    def opened(self, name: str) -> Iterator[Image]:
        """The image, mounted while the block runs."""
        container = call(*self._tool, "from", "--pull-never", name).strip()
        try:
            root = Path(call(*self._tool, "mount", container).strip())
            config = json.loads(call(*self._tool, "inspect", "--type", "image", name))["Docker"]["config"]
            yield _image(root, config)
        finally:
            call(*self._tool, "umount", container)
            call(*self._tool, "rm", container)

    def archive(self, name: str, target: Path) -> None:
        """Writes the image as an OCI archive."""
        call(*self._tool, "push", name, f"oci-archive:{target}:{name.removeprefix('localhost/')}")


def _image(root: Path, config: dict[str, object]) -> Image:
    health = config.get("Healthcheck") or {}
    assert isinstance(health, dict)
    return Image(
        root=root,
        command=_words(config.get("Cmd")),
        health=_words(health.get("Test"))[1:],
        env=dict(line.split("=", 1) for line in _words(config.get("Env"))),
        user=str(config.get("User", "")),
        stop_signal=str(config.get("StopSignal", "")),
        folder=str(config.get("WorkingDir", "/")),
        volumes=_words(config.get("Volumes")),
    )


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(word) for word in value) if isinstance(value, (list, dict)) else ()
