"""Each of the five jobs on real weights, as a new user does it: from the first click to the file in hand."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import docx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from engines.types import Samples
from tests.conftest import JFK, JFK_TEXT
from tests.studio.calls import run, shown
from tests.studio.keyboard import stop, tab_to
from tests.studio.stage import PageOf, Visit, launched, visit
from tests.support.decoded import decode
from tests.support.server import KEY, Server, running
from tests.support.sound import wav

pytestmark = [pytest.mark.real]
SPEECH_RATE = 24_000
LONGEST_MILLISECONDS = 120_000
"""What a busy machine may take for the slowest step."""
SAMPLE = "The train to the coast leaves at half past seven, and the sea is calm today."
REPLY = "That was the president. He spoke on a cold day in January, and I was there to hear him."


@pytest.fixture(scope="module")
def real(storage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with one key, as its operator would start it."""
    folder = tmp_path_factory.mktemp("real")
    with running(storage, folder / "log", STORAGE_DATABASE_URL=f"sqlite:///{folder}/a.db") as server:
        yield server


def said(server: Server, voice: str, text: str) -> Samples:
    body = {"model": "kokoro", "voice": voice, "input": text, "response_format": "pcm"}
    with server.client() as client:
        answer = client.post("audio/speech", json=body)
    assert answer.status_code == 200, answer.text
    return decode(answer.content, "pcm").samples


def unlocked(made: Visit, view: str = "transcribe") -> Page:
    """The page after its user has given the key."""
    made.allowed = (*made.allowed, 401)
    made.context.set_default_timeout(LONGEST_MILLISECONDS)
    page = made.open(view)
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    page.wait_for_selector("dialog", state="detached")
    return page


def exported(page: Page, name: str) -> bytes:
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as saving:
        page.get_by_role("button", name=name).click()
    return saving.value.path().read_bytes()


def letters(text: str) -> str:
    return re.sub(r"[^a-z]+", " ", text.lower()).strip()


def test_a_conversation_becomes_subtitles_a_document_and_data(page_of: PageOf, real: Server) -> None:
    speech = decode(JFK.read_bytes(), "flac")
    reply = said(real, "af_heart", REPLY)
    at = np.arange(0, len(speech.samples), speech.rate / SPEECH_RATE)
    kennedy = np.interp(at, np.arange(len(speech.samples)), speech.samples).astype(np.float32)
    pause = np.zeros(SPEECH_RATE, np.float32)
    page = unlocked(page_of(real))
    data = wav(np.concatenate([kennedy, pause, reply]), SPEECH_RATE)
    page.set_input_files(
        "input[type=file]", {"name": "interview.wav", "mimeType": "audio/wav", "buffer": data}
    )
    page.wait_for_selector("text=done in")
    assert page.locator(".turn strong").all_inner_texts() == ["A", "B"]
    field = page.get_by_role("textbox", name="Name of speaker A")
    field.fill("Kennedy")
    field.press("Tab")
    page.locator(".turn strong", has_text="Kennedy").wait_for()
    told = " ".join(page.locator(".turn p").all_inner_texts())
    assert letters(JFK_TEXT) in letters(told)
    assert "cold day in january" in letters(told)
    subtitles = exported(page, "Subtitles (srt)").decode()
    assert subtitles.startswith("1\n00:00:00,")
    assert "Kennedy" in subtitles
    segments = json.loads(exported(page, "Data (json)"))["segments"]
    assert [segment["speaker"] for segment in segments] == ["Kennedy", "B"]
    document = docx.Document(io.BytesIO(exported(page, "Word (docx)")))
    assert letters("ask not what your country") in letters(" ".join(p.text for p in document.paragraphs))


def test_text_is_spoken_compared_and_saved_as_mp3(page_of: PageOf, real: Server) -> None:
    page = unlocked(page_of(real), "speak")
    page.wait_for_selector(".voices li")
    assert page.locator(".voices li").count() >= 55
    page.get_by_role("textbox", name="Text").fill("Good morning. It is half past seven.")
    page.get_by_role("combobox", name="File format").select_option("mp3")
    page.get_by_role("searchbox").fill("American")
    for voice in ("alloy", "cedar"):
        page.get_by_role("checkbox", name=f"Compare {voice}", exact=True).check()
    page.get_by_role("button", name="Compare 2").click()
    page.wait_for_function("() => document.querySelectorAll('.takes li').length === 2")
    page.get_by_role("button", name="Compare 2").wait_for()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Download").last.click()
    assert saving.value.suggested_filename == "cedar.mp3"
    sound = decode(saving.value.path().read_bytes(), "mp3")
    with real.client() as client:
        heard = client.post(
            "audio/transcriptions",
            data={"model": "whisper-1", "language": "en"},
            files={"file": ("cedar.mp3", saving.value.path().read_bytes())},
        ).json()["text"]
    assert "good morning" in letters(heard)
    assert sound.seconds > 1


def recorded(page: Page, seconds: float) -> None:
    """The user presses Record, speaks and presses again."""
    tab_to(page, "Record")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "seconds => Number(document.querySelector('.recording .time')?.textContent.slice(3)) >= seconds",
        arg=seconds,
    )
    assert stop(page)["name"] == "Stop recording"
    page.keyboard.press("Enter")


@pytest.fixture
def voiced(browser: Browser, real: Server, tmp_path: Path) -> Iterator[Visit]:
    """A visit whose microphone says the phrase of the consent; beside it lies `sample.wav`."""
    with real.client() as client:
        phrase = client.get("about").json()["consent_phrases"]["en"]
    (tmp_path / "phrase.wav").write_bytes(wav(said(real, "af_heart", phrase), SPEECH_RATE))
    (tmp_path / "sample.wav").write_bytes(wav(said(real, "af_heart", SAMPLE), SPEECH_RATE))
    other = launched(browser.browser_type, tmp_path / "phrase.wav")
    made = visit(other, real.root, allowed=(401,))
    made.context.set_default_timeout(LONGEST_MILLISECONDS)
    yield made
    other.close()
    made.judge()


def consented(page: Page) -> None:
    """Gives the key, reads the phrase and sends the consent."""
    page.wait_for_selector("input[name=key]:focus")
    page.keyboard.type(KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("blockquote:not(:empty)")
    recorded(page, 8)
    page.wait_for_selector("text=That is the phrase. You can send it.")
    assert page.locator("dl.compared mark").count() == 0
    tab_to(page, "Name of the voice’s owner")
    page.keyboard.type("Anna")
    tab_to(page, "Send")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-current=step]:text('2 Sample')")
    assert not stop(page)["body"]


def sampled(page: Page, sample: Path) -> None:
    tab_to(page, "Use a file instead")
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Space")
    choosing.value.set_files(str(sample))
    page.wait_for_selector("button.main:enabled:text('Send')")
    tab_to(page, "Send")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The voice Anna can speak now.")
    page.wait_for_selector("text=/mostly .*not the speaker’s own voice \\(similarity \\d+%\\)/")


def spoken(page: Page) -> None:
    assert stop(page)["name"] == "Speak"
    page.keyboard.press("Enter")
    page.wait_for_selector(".voices li")
    assert page.get_by_role("radio", name="Anna").is_checked()
    tab_to(page, "Text")
    page.keyboard.type("This is my own voice.")
    tab_to(page, "Speak")
    page.keyboard.press("Enter")
    page.wait_for_selector(".takes li strong:text-is('Anna')")
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    assert stop(page)["name"] == "Speak"


def test_29_30_38_a_voice_is_made_with_its_consent_and_revoked_by_keyboard_alone(
    voiced: Visit, tmp_path: Path
) -> None:
    page = voiced.open("voices")
    consented(page)
    sampled(page, tmp_path / "sample.wav")
    spoken(page)
    tab_to(page, "Voices", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("aside li")
    tab_to(page, "Delete the consent of Anna")
    page.keyboard.press("Enter")
    page.locator("dialog[open]").get_by_text("These voices go with it: Anna").wait_for()
    assert stop(page)["name"] == "Cancel", "what cannot be undone is not the first choice"
    tab_to(page, "Delete")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('aside li').length === 0")
    assert not stop(page)["body"]
    tab_to(page, "Speak", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".voices li")
    assert page.get_by_role("radio", name="Anna").count() == 0


def test_36_the_server_is_ready_and_shows_what_it_did(page_of: PageOf, real: Server) -> None:
    page = unlocked(page_of(real), "server")
    page.wait_for_selector("text=Ready")
    row = page.locator("tr", has_text="whisper-base")
    row.wait_for()
    assert row.locator("td").inner_text() in {"in memory", "being loaded", "loaded at first use"}
    assert page.locator(".cards dd").first.inner_text() == "0"


def test_34_the_shown_call_gives_the_text_that_the_page_shows(
    page_of: PageOf, real: Server, tmp_path: Path
) -> None:
    page = unlocked(page_of(real))
    page.set_input_files("input[type=file]", str(JFK))
    page.wait_for_selector("text=done in")
    told = " ".join(page.locator(".turn p").all_inner_texts())
    assert letters(told) == letters(JFK_TEXT)
    page.get_by_role("button", name="Show the call").click()
    (tmp_path / JFK.name).write_bytes(JFK.read_bytes())
    printed = run("curl", shown(page, "curl"), tmp_path)
    events = [json.loads(line.removeprefix("data: ")) for line in printed.splitlines() if "{" in line]
    assert [event["text"] for event in events if event["type"] == "transcript.text.done"] == [told]
