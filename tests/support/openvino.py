"""Marks tests that need OpenVINO."""

from __future__ import annotations

import pytest

from engines.common.installed import installed

needs_openvino = pytest.mark.skipif(
    not installed("openvino"), reason="OpenVINO is not installed: it has no builds for ARM and macOS"
)
