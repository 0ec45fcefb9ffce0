"""Where live sound comes from: a recorder of the system, or a file at the pace of speech.

Law: gives pieces of 16 kHz, 16-bit, mono samples; bounded in memory; ends what it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

from app.cli.failures import CommandError

SOUND_PIECE_SECONDS = 0.1
SOUND_PIECE_BYTES = 3200
"""Bytes that are read at once: 0.1 s at 16 kHz."""
COMMANDS = {
    "parec": ("--raw", "--format=s16le", "--rate=16000", "--channels=1", "--latency-msec=100"),
    "arecord": ("-q", "-t", "raw", "-f", "S16_LE", "-r", "16000", "-c", "1"),
}
"""The programs that record, with their arguments; the first one that is installed is used."""
DEVICE_OPTION = {"parec": "--device", "arecord": "-D"}
STOP_SECONDS = 2.0
"""Seconds to wait until a recorder ends by itself."""
ERROR_BYTES = 4096
"""The most bytes of a recorder's error messages that are read."""


async def microphone(device: str) -> AsyncGenerator[bytes]:
    """Sound of a microphone, until the recorder ends. `device`: empty for the usual one.

    Raises `CommandError` without a recorder, and if it ends with a failure.
    """
    name = next((name for name in COMMANDS if shutil.which(name)), None)
    if name is None:
        raise CommandError(
            "There is no recorder here: install `parec` (package pulseaudio-utils) or `arecord` (package "
            "alsa-utils), or transcribe a file with --file."
        )
    chosen = [DEVICE_OPTION[name], device] if device else []
    process = await asyncio.create_subprocess_exec(
        name, *COMMANDS[name], *chosen, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    said = asyncio.ensure_future(process.stderr.read(ERROR_BYTES))
    try:
        while piece := await process.stdout.read(SOUND_PIECE_BYTES):
            yield piece
        if await process.wait():
            reason = (await said).decode(errors="replace").strip().splitlines()
            raise CommandError(f"{name} cannot record: {reason[-1] if reason else 'it gave no reason'}.")
    finally:
        said.cancel()
        await _ended(process)


async def file_at_its_pace(path: Path) -> AsyncGenerator[bytes]:
    """The sound of a file at the speed at which it was spoken. Raises `ApiError` or `OSError`."""
    from app.audio.decode import open_audio

    loop = asyncio.get_running_loop()
    began, sent = loop.time(), 0
    with path.open("rb") as file:
        source = await asyncio.to_thread(open_audio, file, limit=float("inf"), cancelled=lambda: False)
        try:
            blocks = source.blocks()
            while (block := await asyncio.to_thread(next, blocks, None)) is not None:
                data = (block * 32_767).astype("<i2").tobytes()
                for at in range(0, len(data), SOUND_PIECE_BYTES):
                    sent += 1
                    await asyncio.sleep(max(began + sent * SOUND_PIECE_SECONDS - loop.time(), 0))
                    yield data[at : at + SOUND_PIECE_BYTES]
        finally:
            source.close()


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
