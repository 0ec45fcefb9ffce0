"""What each voice can read here, told by its file's name and the installed libraries alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.common.installed import installed
from engines.kokoro import engine

NAMES = ("af_bella", "ef_dora", "hf_alpha", "jf_alpha", "zf_xiaobei", "xx_none")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("kokoro.onnx", *(f"{name}.bin" for name in NAMES)):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("absent", "extras"),
    [
        ((), {}),
        (("misaki",), {"jf_alpha": "asian", "zf_xiaobei": "asian"}),
        (("pyopenjtalk",), {"jf_alpha": "asian", "zf_xiaobei": "asian"}),
        (("kokoro_onnx",), dict.fromkeys(NAMES[:-1], "kokoro")),
    ],
)
def test_voices_name_the_extra_that_they_need(
    folder: Path, absent: tuple[str, ...], extras: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "installed", lambda *modules: not set(modules) & set(absent))
    voices = {voice.name: voice for voice in engine.voices(folder)}
    assert sorted(voices) == sorted(NAMES[:-1])
    assert {name: voice.extra for name, voice in voices.items() if voice.extra} == extras
    asian = {"zh", "ja"} <= set(voices["af_bella"].also)
    assert asian == (not set(absent) & {"misaki", "pyopenjtalk"})


def test_installed_looks_and_imports_nothing() -> None:
    assert installed("json", "email.mime")
    assert not installed("json", "no_such_module")
    assert not installed("no_such_package.module")
