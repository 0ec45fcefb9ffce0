"""Every command and every piece of code of the pages runs as it stands, against a real server.

A block that cannot be run here has a comment before it that says why: `<!-- not run: needs a GPU -->`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import JFK, ROOT
from tests.support.node import BIN, installed
from tests.support.server import ANTIPHON, Server, running
from tests.support.sound import RATE, decode, wav

pytestmark = pytest.mark.real
ENGINES_PAGE = "docs/engines.md"
"""`test_engine_page.py` follows it from its first line to its last."""
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted({str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md")} - {ENGINES_PAGE}),
]
_BLOCK = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*) -->\n)?```(?P<kind>sh|python|js)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_REASON = re.compile(r"not run: \w.{9,}")
_LINKED = (
    "tests",
    "docs",
    "app",
    "engines",
    "bench",
    "migrations",
    "Makefile",
    "pyproject.toml",
    "requirements",
)
_ADDRESS = "127.0.0.1:8000"


@dataclass(frozen=True)
class Snippet:
    """One block of a page."""

    page: str
    number: int
    kind: str
    code: str
    note: str

    def __str__(self) -> str:
        return f"{self.page}-{self.number}-{self.kind}"


def snippets() -> list[Snippet]:
    return [
        Snippet(page, number, block["kind"], block["code"], block["note"] or "")
        for page in PAGES
        for number, block in enumerate(_BLOCK.finditer((ROOT / page).read_text()), 1)
    ]


@pytest.fixture(scope="module")
def open_server(storage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As the pages say: no key, only for this machine."""
    folder = tmp_path_factory.mktemp("open")
    database = f"sqlite:///{folder}/antiphon.db"
    with running(storage, folder / "log", AUTH_KEYS="", STORAGE_DATABASE_URL=database) as server:
        yield server


@pytest.fixture(scope="module")
def checkout(storage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the checkout, into which snippets may write."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in _LINKED:
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    (folder / "node_modules").symlink_to(installed() / "node_modules")
    (folder / "data").mkdir()
    (folder / "data/weights").symlink_to(storage / "weights")
    for name in ("talk.flac", "meeting.m4a"):
        shutil.copy(JFK, folder / name)
    speech = decode(JFK.read_bytes())
    (folder / "anna.wav").write_bytes(wav(speech[: 5 * RATE]))
    (folder / "ben.wav").write_bytes(wav(speech[5 * RATE : 10 * RATE]))
    subprocess.run([ANTIPHON, "db", "upgrade"], env=environment_of(folder), check=True, capture_output=True)
    return folder


def environment_of(folder: Path) -> dict[str, str]:
    """As a newcomer's, with the checkout's own data folder."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ANTIPHON_")}
    return clean | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(BIN), os.environ["PATH"]]),
        "ANTIPHON_STORAGE_FOLDER": str(folder / "data"),
        "NO_COLOR": "1",
    }


def command(snippet: Snippet, folder: Path) -> list[str]:
    if snippet.kind == "sh":
        return ["bash", "-euo", "pipefail", "-c", snippet.code]
    name = f"snippet-{snippet.number}" + {"python": ".py", "js": ".mjs"}[snippet.kind]
    (folder / name).write_text(snippet.code)
    return [sys.executable if snippet.kind == "python" else str(BIN / "node"), name]


@pytest.mark.parametrize("snippet", snippets(), ids=str)
def test_a_snippet_runs(snippet: Snippet, open_server: Server, checkout: Path) -> None:
    if snippet.note:
        assert _REASON.fullmatch(snippet.note), snippet.note
        return
    if "curl " in snippet.code and not shutil.which("curl"):
        pytest.skip("curl is not installed: apt-get install curl")
    here = open_server.root.removeprefix("http://")
    moved = Snippet(**{**vars(snippet), "code": snippet.code.replace(_ADDRESS, here)})
    done = subprocess.run(
        command(moved, checkout),
        cwd=checkout,
        env=environment_of(checkout),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    if "jfk.flac" in snippet.code and "transcri" in snippet.code:
        assert "ask what you can do for your country" in done.stdout


def test_the_sentence_that_the_pages_quote_is_what_the_server_writes(open_server: Server) -> None:
    """But for commas: the same weights set them differently on another kind of processor."""
    pages = "".join((ROOT / page).read_text() for page in ("README.md", "docs/clients.md"))
    quoted = re.findall(r"And so,? my fellow Americans[^\"\n]*", pages)
    with open_server.client(None) as client:
        files = {"file": ("jfk.flac", JFK.read_bytes())}
        answer = client.post("/audio/transcriptions", data={"model": "whisper-1"}, files=files)
    assert len(quoted) == 2
    assert len(set(quoted)) == 1
    assert quoted[0].replace(",", "") == answer.json()["text"].replace(",", "")
