"""A key that is revoked while its user works: nothing is lost, the key is asked for, the upload goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from tests.studio.recorded import HARBOUR, SOUND, answer_with, body, events
from tests.studio.stage import PageOf, Visit
from tests.support.fake_server import serving
from tests.support.server import KEY, Server, run_cli
from tests.support.sound import tone, wav
from tests.support.waiting import wait_until

UPLOAD = "**/v1/audio/transcriptions"
LARGE_SECONDS, LARGE_RATE = 600, 96_000
"""19 MB of 100 seconds: more than a connection holds, so the server refuses it before it is sent."""
WORDS = "Incorrect API key provided"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("revoked")


@pytest.fixture(scope="module")
def revoking(folder: Path) -> Iterator[Server]:
    with serving(folder, fresh="0.5") as server:
        yield server


def use(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use this key").click()
    page.wait_for_selector("dialog", state="detached")


def answers(server: Server, key: str) -> int:
    """The status that a request with this key gets."""
    with server.client(key) as client:
        return client.get("models").status_code


def refused(route: Route) -> None:
    error = {"message": WORDS, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    route.fulfill(status=401, body=json.dumps({"error": error}))


def unlocked(page_of: PageOf, server: Server, key: str = KEY) -> tuple[Visit, Page]:
    made = page_of(server, allowed=(401,))
    page = made.open()
    use(page, key)
    return made, page


def drop(page: Page) -> None:
    page.set_input_files("input[type=file]", {"name": "a.wav", "mimeType": "audio/wav", "buffer": SOUND})


def test_32_an_upload_whose_key_is_revoked_meanwhile_goes_on_with_another(
    page_of: PageOf, revoking: Server, folder: Path
) -> None:
    """The key is revoked after the page has checked it, and before the whole upload has arrived."""
    created = run_cli(folder, "keys", "create", "reader")
    secret, number = created.stdout.strip(), created.stderr.split()[0]
    # a running server does not learn of a new key at once
    wait_until(lambda: answers(revoking, secret) == 200, 60)
    _, page = unlocked(page_of, revoking, secret)
    revoked: list[str] = []

    def revoke(route: Route) -> None:
        answer = route.fetch()
        if not revoked:
            assert run_cli(folder, "keys", "revoke", number).returncode == 0
            wait_until(lambda: answers(revoking, secret) == 401, 60)
            revoked.append(number)
        route.fulfill(response=answer)

    page.route("**/v1/models", revoke)
    (folder / "a.wav").write_bytes(wav(tone(LARGE_SECONDS), LARGE_RATE))
    page.set_input_files("input[type=file]", folder / "a.wav")
    page.locator("dialog[open]", has_text=WORDS).wait_for()
    assert revoked, "the page had tried the key, and the server had taken it"
    use(page, KEY)
    page.wait_for_selector("text=done in")


def test_32_a_user_without_another_key_keeps_the_text_and_tries_again_with_one_click(
    page_of: PageOf, revoking: Server
) -> None:
    _, page = unlocked(page_of, revoking)
    answer_with(page, body(list(events(HARBOUR))[:3], whole=False))
    drop(page)
    page.wait_for_selector("text=The text is missing from")
    before = page.locator(".turn p").all_inner_texts()
    page.unroute(UPLOAD)
    page.route(UPLOAD, refused)
    page.get_by_role("button", name="Try again").click()
    page.locator("dialog[open]", has_text=WORDS).get_by_role("button", name="Cancel").click()
    page.get_by_role("alert").get_by_text(WORDS).wait_for()
    assert page.locator("dialog").count() == 0
    assert page.locator(".turn p").all_inner_texts() == before
    page.unroute(UPLOAD)
    answer_with(page, body(events(HARBOUR)))
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("text=done in")
    page.get_by_role("button", name="Undo").click()
    assert page.locator(".turn p").all_inner_texts() == before


def test_32_who_gives_no_key_is_asked_once(page_of: PageOf, revoking: Server) -> None:
    """The page tries the key before it sends anything; the answer to that must not be asked about twice."""
    made, page = unlocked(page_of, revoking)
    page.route("**/v1/models", refused)
    drop(page)
    page.locator("dialog[open]", has_text=WORDS).get_by_role("button", name="Cancel").click()
    page.get_by_role("alert").get_by_text(WORDS).wait_for()
    assert page.locator("dialog").count() == 0
    assert made.paths("POST") == []
    page.unroute("**/v1/models")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("text=done in")


def test_32_an_answer_to_a_request_without_the_key_does_not_ask_again(
    page_of: PageOf, revoking: Server
) -> None:
    """On a slow network the first refusals come after the key was given."""
    made = page_of(revoking, allowed=(401,))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    made.page.route("**/v1/models", hold, times=1)
    with made.page.expect_request("**/v1/models"):
        page = made.open("server")
    page.wait_for_selector("dialog[open]")
    use(page, KEY)
    refused(held[0])
    page.wait_for_selector("table tr")
    assert page.locator("dialog").count() == 0


def test_a_key_that_may_only_transcribe_does_so_and_another_one_is_taken_where_it_may_not(
    page_of: PageOf, revoking: Server, folder: Path
) -> None:
    """And the page forgets a key when its user says so."""
    secret = run_cli(folder, "keys", "create", "typist", "--scope", "transcribe").stdout.strip()
    wait_until(lambda: answers(revoking, secret) == 403, 60)
    page = page_of(revoking, allowed=(401, 403)).open()
    use(page, secret)
    drop(page)
    page.wait_for_selector("text=done in")
    page.get_by_role("link", name="Speak").click()
    page.get_by_role("alert").get_by_role("button", name="Use another key").click()
    use(page, KEY)
    page.wait_for_selector(".voices li")
    assert page.get_by_role("alert").count() == 0
    page.get_by_role("link", name="Server").click()
    page.wait_for_selector("table td")
    page.get_by_role("button", name="Change or forget the key").click()
    page.get_by_role("button", name="Forget the key", exact=True).click()
    page.locator("dialog[open]", has_text="This server asks for a key").wait_for()
    assert page.locator("main :is(table, .cards)").count() == 0
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("link", name="Speak").click()
    page.wait_for_selector("dialog[open]")
    assert page.locator(".voices li").count() == 0
