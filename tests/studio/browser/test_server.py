"""Server: models, counters, and silence while nobody looks."""

from __future__ import annotations

from playwright.sync_api import Route

from tests.studio.stage import PageOf
from tests.support.server import Server


def test_36_models_queue_and_version_are_shown(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    page = made.open("server")
    page.wait_for_selector("table tr")
    listed = page.evaluate("fetch('v1/models').then(answer => answer.json())")["data"]
    known = [model["id"] for model in listed if model.get("state")]
    assert page.locator("table th").all_inner_texts() == known
    told = page.locator("main").inner_text()
    about = page.evaluate("fetch('v1/about').then(answer => answer.json())")
    for word in (about["version"], "Waiting", "Real-time factor", "Refused", "upload_bytes"):
        assert word in told


METRICS = """# HELP antiphon_queue_jobs Work that waits
antiphon_queue_jobs{model="a"} 2
antiphon_queue_jobs{model="b"} 3
antiphon_work_seconds_total{kind="a"} 10
antiphon_work_seconds_total{kind="b"} 15
antiphon_sound_seconds_total 100
antiphon_refused_total{why="full"} 7
"""


def test_36_the_figures_are_those_of_the_server(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    made.page.route("**/metrics", lambda route: route.fulfill(body=METRICS))
    page = made.open("server")
    page.wait_for_selector(".cards")
    assert page.locator(".cards dd:not(.quiet)").all_inner_texts() == ["5", "0.25", "7"]


def test_36_a_server_that_is_not_ready_says_why(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake, allowed=(503,))
    problems = {"storage": "The disk is full."}
    made.page.route("**/health/ready", lambda route: route.fulfill(status=503, json={"problems": problems}))
    page = made.open("server")
    page.wait_for_selector("text=Not ready")
    page.wait_for_selector("li:text('storage: The disk is full.')")


def test_36_a_model_that_is_loaded_is_seen(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    state = ["idle"]
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(json={"object": "list", "data": [{"id": "whisper-large", "state": state[0]}]})

    made.page.route("**/v1/models", answer)
    page = made.open("server")
    for name, words in (
        ("idle", "loaded at first use"),
        ("loading", "being loaded"),
        ("loaded", "in memory"),
    ):
        state[0] = name
        page.wait_for_selector(f"td:text-is('{words}')")
    assert len(asked) <= page.evaluate("performance.now()") / 2000 + 1, "it asks every two seconds"


def test_36_a_hidden_tab_asks_nothing(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake)
    page = made.open("server")
    page.wait_for_selector("table tr")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.wait_for_timeout(200)
    asked = len(made.requests)
    page.wait_for_timeout(2500)
    assert len(made.requests) == asked
    page.evaluate("delete document.hidden")
    with page.expect_request("**/metrics"):
        pass


def test_36_where_a_proxy_hides_the_counters_it_says_so(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake, allowed=(404,))

    def hide(route: Route) -> None:
        route.fulfill(status=404, body="")

    made.page.route("**/metrics", hide)
    page = made.open("server")
    page.wait_for_selector("text=the proxy in front hides /metrics")
