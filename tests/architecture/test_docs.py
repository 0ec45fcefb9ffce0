"""Promises of the pages: what they name exists, and decisions have their parts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from app import __version__
from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
DECISIONS = sorted((ROOT / "docs/decisions").glob("0*.md"))
TEXTS = {"", ".py", ".md", ".toml", ".yaml", ".yml", ".json", ".css", ".mjs", ".html", ".in"}
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
    """The package takes it from `app`, and no other file of the project has it but the changelog, in the
    heading of its release.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "app/__init__.py"
    folders = ("app", "engines", "migrations", "deploy", "docs")
    files = [path for name in folders for path in (ROOT / name).rglob("*") if path.suffix in TEXTS]
    files += [path for path in ROOT.iterdir() if path.suffix in TEXTS]
    written = re.compile(rf"(?<![\d.]){re.escape(__version__)}(?![\d.])")
    texts = {path: path.read_text(errors="replace") for path in files if path.is_file()}
    found = {str(path.relative_to(ROOT)) for path, text in texts.items() if written.search(text)}
    assert found - {"CHANGELOG.md"} == {"app/__init__.py"}
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


LISTED = ("api", "audio", "container", "models", "runtime", "store", "text")
"""Packages of the app whose modules the map names one by one."""


@pytest.mark.parametrize("package", LISTED)
def test_the_map_names_every_module(package: str) -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    named = set(re.findall(r"\w+", page.partition("## The packages")[2].partition("## The arrows")[0]))
    resources = {path.stem for path in (ROOT / "app" / package).glob("*.py")} - {"__init__"}
    assert not resources - named
