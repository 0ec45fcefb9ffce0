"""Promises of the pages: what they name exists, and decisions have their parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
DECISIONS = sorted((ROOT / "docs/decisions").glob("0*.md"))
_PATH = re.compile(r"`((?:app|engines|tests|bench|migrations|docs|deploy|stubs)/[\w./*-]+?)/?(?:::\w+)?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    missing = [name for name in _PATH.findall(page.read_text()) if not list(ROOT.glob(name))]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists() or target == "...", target


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_its_parts(page: Path) -> None:
    text = page.read_text()
    number = int(page.name.split("-")[0])
    assert text.startswith(f"# {number}. ")
    assert re.search(r"^- Status: (proposed|accepted|superseded by \[\d+\]\(.+\))$", text, re.MULTILINE)
    assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert "Guarded by" in text
    assert re.search(r"^## (Alternatives|Tried and dropped)$", text, re.MULTILINE)


def test_the_index_lists_every_decision() -> None:
    text = (ROOT / "docs/decisions/README.md").read_text()
    linked = re.findall(r"^\| \[(\d+)\]\((0\d+-[\w-]+\.md)\) \|", text, re.MULTILINE)
    assert [name for _, name in linked] == [page.name for page in DECISIONS]
    assert all(int(number) == int(name.split("-")[0]) for number, name in linked)
    assert len({int(number) for number, _ in linked}) == len(linked)


def test_the_version_is_written_once() -> None:
    assert "version" in re.search(r"^dynamic = .*$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]  # type: ignore[index]  # the line is there
