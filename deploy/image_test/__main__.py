"""Runs the steps in turn, and ends with exit status 1 at the first that fails."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from deploy.image_test import image, offline
from deploy.image_test.buildah import Builder
from deploy.image_test.debian13 import Debian13, check_compose, check_kubernetes
from deploy.image_test.tools import Failed, demand, missing

PROJECT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("ANTIPHON_IMAGE_TEST_FOLDER", "/var/tmp/antiphon-image-test"))  # noqa: S108 - root's
STEPS = ("compose", "kubernetes", "cpu", "bundle", "gpu")
USUAL = ["compose", "kubernetes", "cpu", "bundle"]
"""The steps without arguments. The image for GPUs is not among them, because it downloads 600 MB more."""


def main() -> int:
    asked = argparse.ArgumentParser(prog="make image-test", description=__doc__)
    asked.add_argument(
        "steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; default: all but gpu"
    )
    asked.add_argument(
        "--weights", type=Path, default=PROJECT / "data/weights", help="folder of the starter models"
    )
    asked.add_argument("--pull", action="store_true", help="build on the base that the Dockerfile names")
    options = asked.parse_args()
    if sentence := missing():
        print(sentence, file=sys.stderr)
        return 1
    if not (options.weights / "whisper-base").is_dir():
        print(
            f"No models in {options.weights}. Run `antiphon models pull` first, or give --weights.",
            file=sys.stderr,
        )
        return 1
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # steps appear as they come
    FOLDER.mkdir(parents=True, exist_ok=True)
    for step in options.steps or USUAL:
        began = time.monotonic()
        print(f"== {step}", flush=True)
        try:
            run(step, weights=options.weights.resolve(), pull=options.pull)
        except Failed as wrong:
            print(f"FAILED: {step}: {wrong}", file=sys.stderr)
            return 1
        print(f"== {step}: passed in {time.monotonic() - began:.0f} s", flush=True)
    return 0


def run(step: str, *, weights: Path, pull: bool) -> None:
    """Runs one step of the test. Raises `Failed`."""
    if step in ("compose", "kubernetes"):
        debian = Debian13(FOLDER)
        with debian.seeing(PROJECT):
            check_compose(debian) if step == "compose" else check_kubernetes(debian, FOLDER)
        return
    if step == "bundle":
        offline.check(PROJECT, FOLDER)
        return
    demand(step in STEPS, f"There is no step {step!r}; there are {', '.join(STEPS)}.")
    builder = Builder(FOLDER)
    image.check(builder, step, "" if pull else builder.base(), PROJECT, weights, FOLDER)


if __name__ == "__main__":
    sys.exit(main())
