"""OpenVINO, the library: imported without its telemetry, and whether this CPU suits it.

Law: nothing is known here of models.
"""

from __future__ import annotations

import sys
from typing import Any


def import_openvino() -> Any:
    """The library. Raises `ImportError` if it is not there.

    Its package of telemetry counts as missing, so that the library takes an empty one: nothing is sent.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # the mark of a missing module
    import openvino

    return openvino


def computes_in_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 numbers by itself (AVX-512 BF16 or AMX).

    False too where OpenVINO cannot load its part for CPUs. Raises `ImportError`.
    """
    openvino = import_openvino()
    try:
        return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except RuntimeError:
        return False
