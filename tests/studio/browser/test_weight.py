"""The bytes that the first view loads, and that the page asks no other server for anything."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import CDPSession, Route

from tests.studio.stage import PageOf, Visit
from tests.support.server import Server
from tests.support.sound import tone, wav

HUM = wav(tone(3))
MOST_BYTES = 120_000
MOST_AGAIN = 5_000
MOST_REQUESTS = 60


class Wire:
    """Bytes over the wire as Chromium's network stack counts them."""

    def __init__(self, made: Visit) -> None:
        self._session: CDPSession = made.context.new_cdp_session(made.page)
        self.bytes = 0
        self.answers = 0
        self._session.send("Network.enable")
        self._session.on("Network.loadingFinished", self._ended)

    def _ended(self, event: dict[str, float]) -> None:
        self.bytes += int(event["encodedDataLength"])
        self.answers += 1


def test_2_the_first_view_is_light_and_the_second_visit_almost_nothing(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    first = Wire(made)
    page = made.open()
    page.wait_for_load_state("networkidle")
    print(f"first view: {first.bytes} bytes, {len(made.requests)} requests")
    assert 20_000 < first.bytes <= MOST_BYTES
    assert len(made.requests) < MOST_REQUESTS, "another language than English is one more"
    assert {urlsplit(request.url).netloc for request in made.requests} == {urlsplit(fake.root).netloc}
    again = made.context.new_page()
    made.page = again
    second = Wire(made)
    made.open()
    again.wait_for_load_state("networkidle")
    print(f"second visit: {second.bytes} bytes")
    assert second.bytes <= MOST_AGAIN


def test_1_the_first_view_has_drop_zone_navigation_and_heading(cleared: Visit) -> None:
    made = cleared
    page = made.open()
    assert page.get_by_role("heading", level=1).inner_text() == "Drop a recording here"
    links = page.get_by_role("navigation", name="Views").get_by_role("link")
    assert links.all_inner_texts()[:4] == ["Transcribe", "Speak", "Voices", "Server"]
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"first paint: {paint:.0f} ms")


def test_3_every_view_has_an_empty_console(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    for view in ("transcribe", "speak", "voices", "server"):
        page = made.open(view)
        page.wait_for_load_state("networkidle") if view != "server" else page.wait_for_selector("table")
    assert made.paths("POST") == []


def test_3_a_request_elsewhere_fails_a_visit(page_of: PageOf, fake: Server) -> None:
    """The checks of `judge` can fail: the policy of the page blocks a request, and the browser reports it on
    the console.
    """
    made = page_of(fake)
    page = made.open()
    page.evaluate("fetch('http://elsewhere.test/').catch(() => 0)")
    with pytest.raises(AssertionError, match="Content Security Policy"):
        made.judge()
    made.said.clear()
    page.evaluate("fetch('nothing').then(answer => answer.text())")
    with pytest.raises(AssertionError, match=r"40[14] "):
        made.judge()
    made.statuses.clear()


def test_4_the_page_works_where_only_this_server_can_be_reached(page_of: PageOf, fake: Server) -> None:
    """Every request of the browser to another server is aborted and noted."""
    made = page_of(fake)
    cut: list[str] = []
    host = urlsplit(fake.root).netloc

    def abort(route: Route) -> None:
        cut.append(route.request.url)
        route.abort()

    made.context.route(lambda url: urlsplit(url).netloc != host, abort)
    page = made.open()
    page.set_input_files("input[type=file]", {"name": "a.wav", "mimeType": "audio/wav", "buffer": HUM})
    page.wait_for_selector("[data-at]")
    assert cut == []
