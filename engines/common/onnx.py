"""ONNX Runtime sessions that share a machine. Law: nothing here is about a certain model."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engines.cores import cores
from engines.errors import EngineError, WeightsBroken, is_out_of_memory
from engines.types import EngineOptions

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions, SessionOptions

Provider: TypeAlias = str | tuple[str, dict[str, str]]
"""An execution provider of ONNX Runtime (a kind of device), with its options."""
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
NO_CUDA = (
    "The settings ask for a GPU, and the ONNX Runtime that is installed cannot use one. docs/gpu.md says how "
    "to install the one that can."
)


@dataclass(frozen=True)
class GivenArrays:
    """Arrays that a graph in memory says are in a file beside it, by their names. A session uses these
    instead of the file, and has no copy of them, but for matrices that are put in another order (`packed`).
    """

    file: Path
    arrays: Mapping[str, NDArray[np.generic]]


def session(
    model: Path | bytes,
    options: EngineOptions,
    *,
    memory_plans: bool = True,
    optimized: bool = True,
    given: GivenArrays | None = None,
    packed: bool = True,
) -> InferenceSession:
    """A session on `options.threads` threads that sleep while they wait; on a GPU if the options say `cuda`.

    `model`: a file, or a graph in memory. `memory_plans`: ONNX Runtime plans one block of memory for each
    shape of input that it sees; for inputs of many shapes, that takes more memory and saves no time.
    `optimized`: it rewrites the graph before it is run, which takes longer than all the rest of loading.
    `given`: arrays of a graph in memory, on the CPU and not `optimized`, which would look at other bytes of
    the file. `packed`: matrices are copied in the order in which they are read, which is otherwise done in
    each run.
    Raises `WeightsBroken`, and `EngineError` where the GPU cannot be used: it would go on on the CPU.
    """
    import onnxruntime

    settings = _settings(options, memory_plans=memory_plans, optimized=optimized, packed=packed)
    kept = _give(settings, given, optimized=optimized) if given else []
    on_gpu = options.device == "cuda"
    providers: list[Provider] = [*(_gpu(onnxruntime, options.devices[0]) if on_gpu else ()), CPU]
    try:
        source = model if isinstance(model, bytes) else str(model)
        made = onnxruntime.InferenceSession(source, settings, providers=providers)
    except Exception as wrong:  # the library's own exceptions have no common base
        if is_out_of_memory(wrong):
            raise
        raise WeightsBroken(f"The model {_name(model, given)} cannot be loaded.") from wrong
    # The library keeps the graph for sessions on other devices, which nobody makes.
    vars(made)["_model_bytes"] = None
    vars(made)["_given"] = kept  # it refers to them without owning them
    if on_gpu and CUDA not in made.get_providers():
        raise EngineError(NO_CUDA)
    return made


def rewritten(graph: bytes, options: EngineOptions) -> memoryview | None:
    """The graph as ONNX Runtime rewrites it for this CPU. None if that fails, or where the system has no
    files in memory.
    """
    import onnxruntime

    settings = _settings(options, memory_plans=False, optimized=True, packed=False)
    try:
        file = os.memfd_create("graph")
    except (AttributeError, OSError):
        return None
    try:
        settings.optimized_model_filepath = f"/proc/self/fd/{file}"
        onnxruntime.InferenceSession(graph, settings, providers=[CPU])
        return memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_READ))
    except Exception:  # noqa: BLE001 - as above; a session of the graph itself tells what is wrong
        return None
    finally:
        os.close(file)


def _name(model: Path | bytes, given: GivenArrays | None) -> str:
    file = model if isinstance(model, Path) else given and given.file
    return f"`{file.name}`" if file else "in memory"


def _settings(options: EngineOptions, *, memory_plans: bool, optimized: bool, packed: bool) -> SessionOptions:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads or cores()
    settings.inter_op_num_threads = 1
    settings.enable_mem_pattern = memory_plans
    if not optimized:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if not packed:
        settings.add_session_config_entry("session.disable_prepacking", "1")
    # Spinning threads take the cores from the other models of this process.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = 3
    return settings


def _give(settings: SessionOptions, given: GivenArrays, *, optimized: bool) -> list[object]:
    """Gives a session these arrays. Returns what must live as long as the session."""
    import onnxruntime

    assert not optimized
    folder = str(given.file.resolve().parent)
    settings.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    kept: list[object] = []
    for name, array in given.arrays.items():
        value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
        settings.add_initializer(name, value)
        kept.append(value)
    return kept


def shrinking(options: EngineOptions) -> RunOptions | None:
    """Options of a run that gives back, at its end, what ONNX Runtime keeps for the next one. None on a GPU.

    After sentences of many lengths it keeps several times what the weights need.
    """
    import onnxruntime

    if options.device == "cuda":
        return None
    run = onnxruntime.RunOptions()
    run.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return run


def _gpu(onnxruntime: Any, number: int) -> list[Provider]:
    """The GPU of that number, with its options, for a session. Raises `EngineError`."""
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if CUDA not in onnxruntime.get_available_providers():
        raise EngineError(NO_CUDA)
    onnxruntime.preload_dlls()  # loads NVIDIA's libraries from the Python environment
    # By default, cuDNN tries all its algorithms for each new shape, and sentences have all lengths. Memory is
    # taken as it is needed and not in ever larger pieces, because other models share the GPU.
    chosen = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}
    return [(CUDA, {"device_id": str(number), **chosen})]
