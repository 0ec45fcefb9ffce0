"""Every metric is explained in docs/operating.md, and its labels are bounded."""

from __future__ import annotations

import re

from app.runtime.http_meters import HttpMeters, ServerMeters, known_method
from app.runtime.meters import Meters
from tests.conftest import ROOT

NAME = re.compile(r"^# TYPE (\S+) (\S+)", re.MULTILINE)


def test_every_metric_is_explained() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    found = [name for name, kind in NAME.findall(Meters().page().decode()) if not name.endswith("_created")]
    assert len(found) > 25
    told = set(re.findall(r"`(?:antiphon|http_server)?(_?\w+?)(?:\{[^`]*\})?`", page))
    for name in found:
        short = name.removeprefix("antiphon").removeprefix("http_server")
        assert short in told or short.lstrip("_") in told, name


def test_methods_are_bounded() -> None:
    assert known_method("POST") == "POST"
    assert known_method("BREW") == "other"
    assert HttpMeters.__doc__
    assert ServerMeters.__doc__
