"""Libraries are found without importing all that they import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engines.common.installed import module_alone
from tests.conftest import ROOT


def test_a_module_is_loaded_without_its_package() -> None:
    code = (
        "import sys; from engines.common.installed import module_alone\n"
        "assert module_alone('faster_whisper', 'feature_extractor').FeatureExtractor().hop_length == 160\n"
        "assert not {'faster_whisper', 'ctranslate2', 'av'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_module_that_is_there_is_taken() -> None:
    import json.decoder

    assert module_alone("json", "decoder") is json.decoder


@pytest.mark.parametrize(
    ("package", "name"), [("there_is_no_such_package", "parts"), ("json", "parts"), ("this", "parts")]
)
def test_what_is_missing_cannot_be_imported(package: str, name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        module_alone(package, name)


def test_a_package_that_must_not_be_imported_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wave_of_tests", None)
    with pytest.raises(ModuleNotFoundError):
        module_alone("wave_of_tests", "parts")
