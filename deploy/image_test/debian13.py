"""Docker Compose and kubectl, run in a Debian 13: Debian 12's versions are too old."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.image_test.tools import call, demand, show

PACKAGES = "docker-compose,kubernetes-client"
PROFILES = {
    "": {"antiphon"},
    "gpu": {"antiphon-gpu"},
    "cpu,postgres": {"antiphon", "postgres"},
    "gpu,observe": {"antiphon-gpu", "prometheus", "grafana"},
    "cpu,gpu,postgres,observe": {"antiphon", "antiphon-gpu", "postgres", "prometheus", "grafana"},
}
"""Services that each choice of profiles starts; the first is `docker compose up` with nothing else named."""
MANIFESTS = ("base", "overlays/gpu", "overlays/ray")
KUBERNETES = "1.33.0"
INSIDE = "/mnt/project"


class Debian13:
    """A folder with Debian 13, made once."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "debian13"
        if not (self._root / "usr/bin/kubectl").exists():
            shutil.rmtree(self._root, ignore_errors=True)
            show(["mmdebstrap", "--variant=apt", f"--include={PACKAGES}", "trixie", self._root])

    @contextmanager
    def seeing(self, project: Path) -> Iterator[None]:
        """The project is seen read-only under `/mnt/project` while the block runs."""
        place = self._root / INSIDE.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        call("mount", "--bind", "-o", "ro", project, place)
        try:
            yield
        finally:
            call("umount", place)

    def call(self, *command: str, **variables: str) -> str:
        """The standard output of a command in the project's folder. Raises `Failed`."""
        line = f'cd {INSIDE} && exec "$@"'
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nowhere", **variables}
        return call("chroot", self._root, "sh", "-c", line, "sh", *command, seconds=60, env=env)


def check_compose(debian: Debian13) -> None:
    """What a real Docker Compose makes of compose.yaml. Raises `Failed`."""
    print(debian.call("docker-compose", "version").strip())
    for profiles, services in PROFILES.items():
        chosen = {"COMPOSE_PROFILES": profiles} if profiles else {}
        meant = json.loads(debian.call("docker-compose", "config", "--format", "json", **chosen))
        named = set(meant["services"])
        demand(named == services, f"Profiles {profiles or 'of .env'} start {sorted(named)}.")
        print(f"profiles {profiles or 'of .env'}: {', '.join(sorted(named))}")
    by_option = debian.call("docker-compose", "--profile", "gpu", "config", "--services").split()
    demand(by_option == ["antiphon-gpu"], f"--profile gpu starts {by_option}.")


def check_kubernetes(debian: Debian13, work: Path) -> None:
    """Renders the manifests, and validates what comes out by Kubernetes' schemas. Raises `Failed`."""
    validate = Path(sys.executable).with_name("kubernetes-validate")
    for name in MANIFESTS:
        rendered = debian.call("kubectl", "kustomize", f"deploy/kubernetes/{name}")
        file = work / f"{name.replace('/', '-')}.yaml"
        known = [part for part in rendered.split("\n---\n") if "\nkind: RayService\n" not in part]
        file.write_text("\n---\n".join(known))  # the tests have the schema of a RayService
        call(validate, "--strict", "-k", KUBERNETES, file, env=dict(os.environ))
        kinds = sorted(line.split()[1] for line in rendered.splitlines() if line.startswith("kind: "))
        demand("app.kubernetes.io/name: antiphon" in rendered, "The label of all objects is lacking.")
        gpus = rendered.count("nvidia.com/gpu:")
        demand(gpus == (1 if name.endswith("gpu") else 0), f"{name} asks for {gpus} GPUs.")
        print(f"{name}: valid for Kubernetes {KUBERNETES}: {', '.join(kinds)}")
