"""Loading NVIDIA's libraries from the Python environment."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import ctranslate2
import pytest

from engines import cuda_libraries


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux loads libraries so")
def test_libraries_of_the_environment_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nvidia/cublas/lib"
    folder.mkdir(parents=True)
    some = next((Path(ctranslate2.__file__).parents[1] / "ctranslate2.libs").glob("libgomp*"))
    for name in ("libcublasLt.so.12", "libcublas.so.12"):
        shutil.copy(some, folder / name)
    for name in [name for name in sys.modules if name == "nvidia" or name.startswith("nvidia.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert cuda_libraries.preload() == []
    assert str(folder) in Path("/proc/self/maps").read_text()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(cuda_libraries, "LIBRARIES", (("nvidia.cublas.lib", "libno-such-library.so.12"),))
    assert cuda_libraries.preload() == ["libno-such-library.so.12"]
    monkeypatch.setattr(cuda_libraries, "LIBRARIES", (("no_such_package.lib", "libno-such-library.so.12"),))
    assert cuda_libraries.preload() == ["libno-such-library.so.12"]
