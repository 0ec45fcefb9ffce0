"""The calls that the page shows, run as a user would run them: with the key in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page

from tests.support.node import BIN, installed
from tests.support.server import KEY


def shown(page: Page, language: str) -> str:
    page.locator("dialog").get_by_role("button", name=language, exact=True).click()
    page.wait_for_selector(f"pre[aria-label={language}]")
    return page.locator("dialog pre").inner_text()


def run(language: str, text: str, folder: Path) -> str:
    """What the call prints, run as a user would."""
    environment = {**os.environ, "ANTIPHON_API_KEY": KEY}
    script = folder / {"curl": "call.sh", "python": "call.py", "node": "call.mjs"}[language]
    script.write_text(text)
    program = {"curl": "bash", "python": sys.executable, "node": str(BIN / "node")}[language]
    if language == "node":
        (folder / "node_modules").symlink_to(installed() / "node_modules")
    done = subprocess.run(
        [program, str(script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{text}\n{done.stderr}"
    return done.stdout
