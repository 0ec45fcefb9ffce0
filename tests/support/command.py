"""Runs the command `antiphon` in this process, which is quick, for tests that need no model."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.cli import main
from tests.support.server import free_port


@dataclass(frozen=True)
class Done:
    """The output and the exit status of one call."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """Everything that the command printed, with spaces in place of line breaks."""
        return " ".join(f"{self.out} {self.err}".split())


class Command:
    """Calls the command in a folder, with a data folder of its own and no network."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.data = folder.parent / "data"
        self._patch = patch
        self._capture = capture
        for name in list(os.environ):
            if name.startswith("ANTIPHON_"):
                patch.delenv(name)
        patch.setenv("ANTIPHON_STORAGE_FOLDER", str(self.data))
        patch.setenv("ANTIPHON_WEIGHTS_OFFLINE", "true")
        patch.setenv("ANTIPHON_SERVER_PORT", str(free_port()))
        patch.setenv("COLUMNS", "80")
        patch.chdir(folder)

    def __call__(
        self, *arguments: str, stdin: bytes = b"", settings: Mapping[str, str] | None = None
    ) -> Done:
        """Runs the command. `settings` are written like `LIMITS_REQUESTS="1"`. An internal error is raised
        here.
        """
        level = logging.getLogger("app").level
        with self._patch.context() as patch:
            patch.setattr(sys, "argv", ["antiphon", *arguments])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            for name, value in (settings or {}).items():
                patch.setenv(f"ANTIPHON_{name}", value)
            self._capture.readouterr()
            try:
                main()
                code: object = 0
            except SystemExit as ended:
                code = ended.code
            finally:
                logging.getLogger("app").setLevel(level)
        said = self._capture.readouterr()
        assert isinstance(code, int | None)
        return Done(code or 0, said.out, said.err)
