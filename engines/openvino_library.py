"""OpenVINO, the library: imported without what is not used of it, and whether this CPU suits it.

Law: nothing is known here of models.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

NOT_IMPORTED = ("openvino_telemetry", "openvino.tools.ovc")
"""Its telemetry, so that nothing is sent, and its converter of models, which is half of its modules."""

CPU_DETAILS = Path("/proc/cpuinfo")
"""What Linux says of the CPU."""
SLOW_MAKER, QUICK_UNIT = "GenuineIntel", "amx_bf16"


def import_openvino() -> Any:
    """The library. Raises `ImportError` if it is not there.

    What is not used of it counts as missing, which the library can do with.
    """
    for name in NOT_IMPORTED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # the mark of a missing module
    import openvino

    return openvino


def computes_in_bfloat16() -> bool:
    """Whether this CPU has instructions that multiply bfloat16 numbers (AVX-512 BF16 or AMX).

    False too where OpenVINO cannot load its part for CPUs. Raises `ImportError`.
    """
    openvino = import_openvino()
    try:
        return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except RuntimeError:
        return False


def bfloat16_is_quicker() -> bool:
    """Whether this CPU multiplies bfloat16 numbers in less time than float32 ones. Raises `ImportError`.

    CPUs of Intel have two units for float32, and their AVX-512 BF16 gives half as many products in the same
    time as both (measured on Emerald Rapids; docs/decisions/0015). With AMX they are quick; a virtual machine
    may lack it. There the library is not imported, which takes 9 MB and 0.1 CPU seconds.
    """
    return not _is_slow_in_bfloat16() and computes_in_bfloat16()


def _is_slow_in_bfloat16() -> bool:
    try:
        told = CPU_DETAILS.read_text()
    except OSError:
        return False
    return SLOW_MAKER in told and QUICK_UNIT not in told.split()
