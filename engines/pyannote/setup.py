"""Prepares pyannote.audio and PyTorch: no output, no network, and no modules that cannot be loaded here.

Law: side effects of importing these libraries are handled here and nowhere else; call `prepare` before using
them.
"""

from __future__ import annotations

import logging
import os
import sys
import types
import warnings
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engines.common.pytorch import set_threads
from engines.errors import EngineMissing, WeightsBroken, import_failure
from engines.types import EngineOptions

QUIET = {"PYANNOTE_METRICS_ENABLED": "0", "OTEL_SDK_DISABLED": "true", "HF_HUB_OFFLINE": "1"}
"""pyannote.audio reports every use to its vendor unless it is told not to; weights come from our store."""
PIPELINE = "config.yaml"
"""The file that marks a pipeline of pyannote's own layout."""


def check() -> None:
    """Checks that the libraries are installed, without importing them. Raises `EngineMissing`."""
    try:
        found = all(find_spec(name) for name in ("torch", "torchaudio", "pyannote.audio"))
    except ModuleNotFoundError:  # even the namespace package is absent
        found = False
    if not found:
        raise EngineMissing("pyannote", "diarization")


def prepare(options: EngineOptions) -> None:
    """Imports PyTorch and pyannote.audio. Raises `EngineMissing`."""
    os.environ.update(QUIET)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.filterwarnings("ignore", module=r"pyannote\.audio.*|torchcodec.*|lightning.*|torchmetrics.*")
    for name in ("lightning", "lightning.pytorch", "lightning_fabric", "torch.distributed"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        import torch  # noqa: F401 - is it there?
    except ImportError as failure:
        raise import_failure(failure, "pyannote", "diarization") from failure
    # Few threads: more of them wait in busy loops on cores that others use, and gain little on these small
    # networks.
    set_threads(options.threads or 1)
    _import_torchaudio()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # suppresses the warning that torchcodec cannot be loaded, which is needed only to decode files
            import pyannote.audio  # noqa: F401
    except ImportError as failure:
        raise import_failure(failure, "pyannote", "diarization") from failure


def pipeline(folder: Path, *, trusted: bool = False) -> Any:
    """A pipeline in pyannote's own layout (config.yaml and its sub-folders).

    `trusted`: load it by pyannote's own loader, which runs what the files say. Raises `NeedsTrust` or
    `WeightsBroken`.
    """
    from pyannote.audio import Pipeline

    from engines.pyannote import safe_loading

    try:
        read = Pipeline.from_pretrained(folder) if trusted else safe_loading.read_pipeline(folder)
    except WeightsBroken:
        raise
    except Exception as wrong:  # as above: the library may raise exceptions of any class
        raise WeightsBroken("The folder's diarization pipeline cannot be loaded.") from wrong
    if read is None:
        raise WeightsBroken("The folder holds no diarization pipeline.")
    return read


def device(options: EngineOptions) -> Any:
    """The device: a GPU if the options demand it, or if they say `auto` and there is one."""
    import torch

    chosen = options.device
    if chosen == "auto":
        chosen = "cuda" if torch.cuda.is_available() else "cpu"
    if chosen == "cuda" and not torch.cuda.is_available():
        raise WeightsBroken("The settings ask for a GPU, and PyTorch finds none here.")
    return torch.device(chosen)


def _import_torchaudio() -> None:
    """Imports torchaudio without its C++ extension, which is linked against CUDA and cannot be loaded with a
    CPU build of PyTorch.

    Nothing here needs the extension; without it the rest of the library is plain Python.
    """
    try:
        import torchaudio
    except ImportError as failure:
        raise import_failure(failure, "pyannote", "diarization") from failure
    except OSError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _no_extension()
        with suppress(OSError):
            import torchaudio  # noqa: F401


def _no_extension() -> types.ModuleType:
    module = types.ModuleType("torchaudio._extension")
    module.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _load_lib=lambda *_, **__: False,
        _check_cuda_version=lambda: None,
        fail_if_no_align=lambda function: function,
    )
    return module
