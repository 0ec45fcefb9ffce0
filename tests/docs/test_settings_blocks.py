"""Each piece of a settings file on the pages can be read: names, types and values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings.load import load_settings
from tests.conftest import ROOT

ENGINES_PAGE = "engines.md"
"""Its block is a pyproject.toml, and `test_engine_page.py` follows it."""
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    (page.name, block)
    for page in sorted((ROOT / "docs").glob("*.md"))
    if page.name != ENGINES_PAGE
    for block in BLOCK.findall(page.read_text())
]


def test_there_are_some() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_a_block_is_a_settings_file(page: str, block: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(block)
    assert load_settings(file, {}).model_fields_set, page
