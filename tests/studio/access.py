"""What axe-core finds on a page."""

from __future__ import annotations

from functools import cache
from typing import Any

from playwright.sync_api import Page

from tests.support.node import studio_tools

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES = {"phone": {"width": 360, "height": 1400}, "desktop": {"width": 1280, "height": 800}}
"""The phone is high, so that no control is half behind the bar at the bottom when targets are measured."""


@cache
def axe_source() -> str:
    return (studio_tools() / "node_modules/axe-core/axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """What axe-core finds. Evaluated, because the policy of the page forbids a foreign script."""
    page.evaluate(axe_source())
    answer: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})",
        RULES,
    )
    assert answer["violations"] is not None
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in answer["violations"]
        for node in found["nodes"]
    ]
