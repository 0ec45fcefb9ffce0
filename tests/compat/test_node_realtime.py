"""The official Node SDK in a live session, behind a real nginx with TLS: the example of docs/realtime.md."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import JFK, ROOT
from tests.support.fake_server import serving
from tests.support.nginx import Front
from tests.support.node import BIN, installed, node_environment
from tests.support.server import KEY
from tests.support.sound import decode, wav

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs/realtime.md"
BLOCK = re.compile(r"^```js\n(?P<code>(?:(?!^```).)*?openai/realtime/ws.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_example_of_the_page_transcribes_over_tls(tmp_path: Path) -> None:
    (tmp_path / "anna.wav").write_bytes(wav(decode(JFK.read_bytes())))
    front = Front(tmp_path)
    (code,) = BLOCK.findall(PAGE.read_text())
    code = code.replace("https://speech.example.org", front.url).replace("sk-...", KEY)
    script = installed() / f"example-{uuid4().hex}.mjs"  # packages are found from the folder of the script
    script.write_text(code)
    try:
        with (
            serving(tmp_path, REALTIME_ENABLED="true") as server,
            front.running([int(server.root.rpartition(":")[2])]),
        ):
            done = subprocess.run(
                [BIN / "node", script],
                cwd=tmp_path,
                env=node_environment() | {"NODE_EXTRA_CA_CERTS": str(front.authority)},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
    finally:
        script.unlink()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("word0 word1 word2 "), done.stdout
