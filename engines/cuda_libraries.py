"""Loads NVIDIA's libraries from the Python environment, so that nobody has to set `LD_LIBRARY_PATH`.

CTranslate2 opens `libcublas.so.12` by its name, at its first use of a GPU. The pip packages of NVIDIA put the
library into a folder that the system's linker does not search; a library that the process has already loaded
is found by its name all the same (dlopen(3): the SONAME is compared first).

Law: loads shared libraries and nothing else.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path

LIBRARIES = (("nvidia.cublas.lib", "libcublasLt.so.12"), ("nvidia.cublas.lib", "libcublas.so.12"))
"""Packages and the libraries in them that CTranslate2 4.8 needs, each after those that it needs itself."""
PACKAGE = "nvidia-cublas-cu12"
"""The pip package that has these libraries."""


def preload() -> list[str]:
    """Loads the libraries; returns the names of those that neither the environment nor the system has.

    Numbers of GPUs follow the PCI bus from then on, as those of `engines.gpus` do.
    """
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if sys.platform != "linux":
        return []
    return [name for package, name in LIBRARIES if not _loaded(package, name)]


def _loaded(package: str, name: str) -> bool:
    for candidate in (*_in_environment(package, name), name):
        try:
            ctypes.CDLL(candidate, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return True
    return False


def _in_environment(package: str, name: str) -> list[str]:
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:  # the package that contains the module is absent too
        return []
    folders = spec.submodule_search_locations if spec else None
    return [str(file) for folder in folders or () if (file := Path(folder) / name).is_file()]
