"""The tables of docs/api.md are made from the table of request fields; `--rewrite-golden` renews them."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from app.settings import Settings
from app.wire.field_row import Endpoint
from app.wire.field_schemas import markdown, names
from tests.conftest import ROOT

PAGE = ROOT / "docs/api.md"
MADE = re.compile(r"(<!-- (fields|names): (\w+) -->)(.*?)(<!-- end -->)", re.DOTALL)


def remade(page: str) -> str:
    def one(found: re.Match[str]) -> str:
        endpoint: Endpoint = found[3]  # type: ignore[assignment]  # the test below checks it
        text = f"\n{markdown(endpoint, Settings())}\n" if found[2] == "fields" else names(endpoint)
        return found[1] + text + found[5]

    return MADE.sub(one, page)


def test_the_page_shows_the_table(request: pytest.FixtureRequest) -> None:
    page = PAGE.read_text()
    if request.config.getoption("--rewrite-golden"):
        PAGE.write_text(remade(page))
    assert PAGE.read_text() == remade(page)


def test_every_endpoint_is_on_the_page() -> None:
    assert {found[2] for found in MADE.findall(PAGE.read_text())} == set(get_args(Endpoint))


def test_defaults_are_those_of_the_settings() -> None:
    """The page is made with default settings, whatever the environment of the test says."""
    assert "At most 1024 MiB (`limits.upload_bytes`)" in PAGE.read_text()
