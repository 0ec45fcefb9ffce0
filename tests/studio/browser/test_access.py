"""Who cannot see, who uses no mouse, who has a small screen."""

from __future__ import annotations

from tests.studio.access import looked_at, violations
from tests.studio.stage import DROP_ZONE, PageOf
from tests.support.server import Server

VIEWS = ("transcribe", "speak", "voices", "server", "live")
WAITED_FOR = {
    "speak": ".voices li",
    "voices": "blockquote",
    "server": "table td",
    "transcribe": DROP_ZONE,
    "live": "main h1",
}


def test_37_39_every_view_in_every_look(page_of: PageOf, fake: Server) -> None:
    """No violation that axe-core finds; nothing cut off, nothing that scrolls sideways."""
    made = page_of(fake)
    found: dict[str, list[str]] = {}
    for view in VIEWS:
        page = made.open(view)
        page.reload()
        page.wait_for_selector(WAITED_FOR[view])
        found[view] = looked_at(page)
    assert not any(found.values()), found


def test_axe_sees_what_is_wrong(page_of: PageOf, fake: Server) -> None:
    """The check above can fail."""
    page = page_of(fake).open()
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [line for line in violations(page) if line.startswith("button-name")]
    page.evaluate("document.querySelector('main').style.minWidth = '700px'")
    assert [line for line in looked_at(page) if "pixels wide at 360" in line]
