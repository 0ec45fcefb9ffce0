"""OpenVINO on a CPU that it shares with other models. Law: nothing here is about a certain model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openvino import CompiledModel, Model


def import_openvino() -> Any:
    """The library. Raises `ImportError` if it is not there.

    Its package of telemetry counts as missing, so that the library takes an empty one: nothing is sent.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # the mark of a missing module
    import openvino

    return openvino


def computes_in_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 numbers by itself (AVX-512 BF16 or AMX)."""
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def compiled(model: Model, *, calls: int, threads: int, group: int) -> CompiledModel:
    """The model for `calls` inferences at once, with `threads` threads each.

    Products with int8 weights are computed in int8, all else in bfloat16. `group`: values of a row that are
    rounded to int8 with one scale; fewer are more exact and take longer.
    """
    options = {
        "NUM_STREAMS": calls,
        "INFERENCE_NUM_THREADS": calls * threads,
        "INFERENCE_PRECISION_HINT": "bf16",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
        # Threads that are bound to cores would wait for whatever else runs there.
        "ENABLE_CPU_PINNING": False,
    }
    return import_openvino().Core().compile_model(model, "CPU", options)
