"""The engine of `docs/engines.md` does what the page says."""

from __future__ import annotations

import re
import types
from typing import cast

import httpx2

from app.container import Container
from app.main import create_app
from app.settings import Settings
from app.store.schema import upgrade
from engines.contracts import SpeechEngine
from tests.conftest import ROOT
from tests.support.decoded import decode


def example() -> types.ModuleType:
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs/engines.md").read_text(), re.DOTALL)[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    module = types.ModuleType("hum")
    exec(compile(code, "hum.py", "exec"), module.__dict__)  # noqa: S102 - our own page
    return module


async def test_the_example_engine_speaks(settings: Settings) -> None:
    folder = settings.weights_folder / "humming"
    folder.mkdir()
    (folder / "hum.onnx").touch()
    upgrade(settings.database_url)
    engine = cast("SpeechEngine", example())
    container = Container(settings, synthesizers=lambda _: engine)
    transport = httpx2.ASGITransport(create_app(container))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
        body = {"model": "tts-1", "voice": "hummer", "input": "Good morning.", "response_format": "wav"}
        answer = await client.post("/audio/speech", json=body)
    await container.close()
    assert 0.5 < decode(answer.content, "wav").seconds < 2.5
