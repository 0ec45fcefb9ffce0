"""ONNX Runtime sessions that share a machine. Law: nothing here is about a certain model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engines.common.cores import cores
from engines.errors import WeightsBroken
from engines.types import EngineOptions

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def session(model: Path | bytes, options: EngineOptions, *, memory_plans: bool = True) -> InferenceSession:
    """A session on `options.threads` threads that sleep while they wait. Raises `WeightsBroken`.

    `model`: a file, or a graph in memory. `memory_plans`: ONNX Runtime plans one block of memory for each
    shape of input that it sees; for inputs of many shapes, that takes more memory and saves no time.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads or cores()
    settings.inter_op_num_threads = 1
    settings.enable_mem_pattern = memory_plans
    # Spinning threads take the cores from the other models of this process.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    if options.device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, "CUDAExecutionProvider")
    try:
        source = model if isinstance(model, bytes) else str(model)
        return onnxruntime.InferenceSession(source, settings, providers=providers)
    except Exception as wrong:  # the library's own exceptions have no common base
        name = f"`{model.name}`" if isinstance(model, Path) else "in memory"
        raise WeightsBroken(f"The model {name} cannot be loaded.") from wrong
