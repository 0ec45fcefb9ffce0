"""OpenVINO on a CPU that it shares with other models. Law: nothing here is about a certain model."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from engines.errors import WeightsBroken
from engines.openvino_library import bfloat16_is_quicker, import_openvino
from engines.types import EngineOptions

if TYPE_CHECKING:
    from openvino import CompiledModel, Model

Network = TypeVar("Network")
log = logging.getLogger(__name__)
PREPARED_OPERATIONS = "100"
"""Operations that oneDNN, OpenVINO's library of operations, keeps prepared. Its own number is 1,024, which is
some hundred MB where each input has another length. It reads the number once in a process, before its first
operation.
"""


def compiled(
    model: Model, *, calls: int, threads: int, group: int, precision: str = "bf16", shapes: int | None = None
) -> CompiledModel:
    """The model for `calls` inferences at once, with `threads` threads each.

    Products with int8 weights are computed in int8, all else in `precision`, `bf16` or `f32`. `group`: values
    of a row that are rounded to int8 with one scale; fewer are more exact and take longer. `shapes`: for how
    many shapes of its inputs an operation is kept prepared; None: for thousands, if there are so many.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PREPARED_OPERATIONS)
    options = {
        "NUM_STREAMS": calls,
        "INFERENCE_NUM_THREADS": calls * threads,
        "INFERENCE_PRECISION_HINT": precision,
        "KV_CACHE_PRECISION": precision,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
        # Threads that are bound to cores would wait for whatever else runs there.
        "ENABLE_CPU_PINNING": False,
        **({} if shapes is None else {"CPU_RUNTIME_CACHE_CAPACITY": shapes}),
    }
    return import_openvino().Core().compile_model(model, "CPU", options)


def where_it_suits(load: Callable[[], Network], options: EngineOptions, name: str) -> Network | None:
    """What `load` makes of a graph, a part of it for OpenVINO. None if the options exclude that, or if the
    CPU or the graph does not suit it: then ONNX Runtime runs all of it.

    `name`: of the model, in the log.
    """
    if not options.openvino or options.device == "cuda":
        return None
    try:
        if not bfloat16_is_quicker():
            return None
        from engines.common.onnx_parts import UnknownGraph
    except ImportError:
        return None
    try:
        return load()
    except (
        UnknownGraph,
        WeightsBroken,
        RuntimeError,
        ValueError,
        LookupError,
    ) as reason:  # nodes without inputs
        why = " ".join(str(reason).split())
        log.info("ONNX Runtime runs all of %s, which takes longer: %s", name, why)
        return None


def give_back(network: CompiledModel) -> None:
    """Gives back what inferences have left, but not beside one that is running, which OpenVINO refuses."""
    with suppress(RuntimeError):
        network.release_memory()
