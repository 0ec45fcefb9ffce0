"""`make bundle`: one folder that installs Antiphon on a machine without a network.

Law: everything in it is verified by hash when it is installed: wheels by the lock, weights by their
manifests, and every file of the folder by `SHA256SUMS`.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import sys
from pathlib import Path

from deploy.image_test.buildah import Builder
from deploy.image_test.tools import Failed, call

PROJECT = Path(__file__).parents[2]
LOCK = PROJECT / "requirements/default.txt"
BLOCK_BYTES = 1 << 20
PAGES = ("README.md", "LICENSE", "THIRD_PARTY_NOTICES.md", "config.example.toml")


def main() -> int:
    asked = argparse.ArgumentParser(prog="make bundle", description=__doc__)
    asked.add_argument("folder", type=Path, help="the folder to make")
    asked.add_argument("--image", type=Path, help="storage of `make image-test`: also put its image cpu in")
    options = asked.parse_args()
    if options.folder.exists():
        print(
            f"{options.folder} exists already; remove it or name another one (BUNDLE=...).", file=sys.stderr
        )
        return 1
    try:
        make(options.folder, options.image)
    except Failed as wrong:
        print(wrong, file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in options.folder.rglob("*") if path.is_file())
    print(f"{options.folder}: {size / 1e6:,.0f} MB. Install it: sh {options.folder}/install.sh FOLDER")
    return 0


def make(folder: Path, images: Path | None) -> None:
    """Makes the bundle. `images`: a storage of buildah with the image `antiphon:cpu`. Raises `Failed`."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    call(*pip, "download", "--no-deps", "--require-hashes", "--only-binary=:all:", "-r", LOCK, "-d", wheels)
    call(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, PROJECT)
    antiphon = Path(sys.executable).with_name("antiphon")
    call(antiphon, "models", "export", "-o", folder / "models.tar")
    if images:
        Builder(images).archive("localhost/antiphon:cpu", folder / "image-cpu.tar")
    shutil.copy(LOCK, folder / "requirements.txt")
    shutil.copy(Path(__file__).with_name("install.sh"), folder / "install.sh")
    for name in PAGES:
        shutil.copy(PROJECT / name, folder / name)
    version = ".".join(map(str, sys.version_info[:2]))
    (folder / "PLATFORM").write_text(f"{version} {platform.system()} {platform.machine()}\n")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{digest(path)}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
