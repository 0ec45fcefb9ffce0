"""OpenVINO without its telemetry and its converter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engines import openvino_library
from engines.openvino_library import bfloat16_is_quicker, computes_in_bfloat16, import_openvino
from tests.conftest import ROOT
from tests.support.openvino import needs_openvino

pytestmark = needs_openvino

CODE = """
import sys
from engines.openvino_library import computes_in_bfloat16
assert computes_in_bfloat16() in (True, False)
unused = ("openvino_telemetry", "openvino.tools")
print(*(name for name, module in sys.modules.items() if module and name.startswith(unused)))
"""


def test_its_telemetry_and_its_converter_are_never_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.split() == []


def test_without_its_part_for_cpus_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def get_property(self, *names: str) -> str:
            raise RuntimeError("the plugin cannot be loaded")

    monkeypatch.setattr(import_openvino(), "Core", Broken)
    assert not computes_in_bfloat16()


@pytest.mark.parametrize(
    ("able", "details", "quicker"),
    [
        (True, "vendor_id\t: GenuineIntel\nflags\t\t: fpu avx512_bf16\n", False),
        (True, "vendor_id\t: GenuineIntel\nflags\t\t: fpu avx512_bf16 amx_bf16 amx_tile\n", True),
        (True, "vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx512_bf16\n", True),
        (True, None, True),
        (False, "vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2\n", False),
    ],
)
def test_bfloat16_is_slow_on_intel_without_its_own_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, able: bool, details: str | None, quicker: bool
) -> None:
    monkeypatch.setattr(openvino_library, "computes_in_bfloat16", lambda: able)
    monkeypatch.setattr(openvino_library, "CPU_DETAILS", tmp_path / "cpuinfo")
    if details:
        (tmp_path / "cpuinfo").write_text(details)
    assert bfloat16_is_quicker() == quicker


def test_a_cpu_that_is_known_to_be_slow_needs_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(openvino_library, "CPU_DETAILS", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("vendor_id\t: GenuineIntel\nflags\t\t: fpu avx512_bf16\n")
    assert not bfloat16_is_quicker()
