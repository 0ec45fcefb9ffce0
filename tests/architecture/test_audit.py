"""`make audit` answers in words, whatever the database of vulnerabilities says and without a network."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests import audit
from tests.conftest import ROOT

VULNERABLE = "Found 2 known vulnerabilities in 1 package\n"
TRACE = "Traceback (most recent call last):\n  File ...\nConnectionError: no route to host\n"


@pytest.mark.parametrize(
    ("code", "said", "status", "told"),
    [
        (0, "No known vulnerabilities found\n", 0, "No known vulnerabilities found\n"),
        (1, VULNERABLE, 1, VULNERABLE),
        (
            1,
            TRACE,
            2,
            "were not looked up, because pypi.org did not answer as expected. ConnectionError: no route",
        ),
        (
            1,
            "ERROR:pip_audit._cli:addict: not found on PyPI\n",
            2,
            "as expected. addict: not found on PyPI\n",
        ),
    ],
)
def test_it_ends_with_a_sentence(
    code: int,
    said: str,
    status: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert "requirements/all.txt" in command
        return subprocess.CompletedProcess(command, code, None, said)

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main() == status
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


@pytest.mark.slow
def test_without_a_network(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert audit.main() == 2
    error = capsys.readouterr().err
    assert error.startswith("The versions of requirements/all.txt were not looked up")
    assert len(error.splitlines()) == 1
    assert (ROOT / audit.LOCK).exists()


def test_make_runs_it() -> None:
    text = (ROOT / "Makefile").read_text()
    assert "\naudit:" in text
    assert text.split("\naudit:")[1].splitlines()[1].endswith("python -m tests.audit")
