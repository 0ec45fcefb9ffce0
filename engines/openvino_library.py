"""OpenVINO, the library: imported without what is not used of it, and whether this CPU suits it.

Law: nothing is known here of models.
"""

from __future__ import annotations

import sys
from typing import Any

NOT_IMPORTED = ("openvino_telemetry", "openvino.tools.ovc")
"""Its telemetry, so that nothing is sent, and its converter of models, which is half of its modules."""


def import_openvino() -> Any:
    """The library. Raises `ImportError` if it is not there.

    What is not used of it counts as missing, which the library can do with.
    """
    for name in NOT_IMPORTED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # the mark of a missing module
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
