"""Clients over real sockets that leave or stall at a random point of their request or of its answer."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

READ = 2_000
"""Number of bytes that a client reads at a time."""
LONGEST_STALL_SECONDS = 0.3
NO_MASK = bytes(4)
"""A mask of a WebSocket frame that leaves the data unchanged."""
GOOD_BYE = b"\x88\x82" + NO_MASK + struct.pack(">H", 1000)
LONGEST_ANSWER_SECONDS = 240.0
"""The longest wait for one answer. It is long, because fifty clients at once keep a small machine busy
for half a minute.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as bytes."""

    name: str
    data: bytes
    head: bytes = b""
    """The head of a WebSocket upgrade, which is sent first; the server would drop frames that come before its
    answer to it.
    """
    awaited: bytes = b""
    """A text in the last event of a session; when it has come, the client closes the connection."""


def get(path: str, method: str = "GET") -> Call:
    return Call(f"{method} {path}", _request(method, path))


def posted_json(path: str, label: str, /, **fields: object) -> Call:
    body = json.dumps(fields).encode()
    return Call(label, _request("POST", path, body, "application/json"))


def posted_form(path: str, label: str, file: tuple[str, bytes], /, **fields: str) -> Call:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--x\r\nContent-Disposition: form-data; name="{file[0]}"; filename="a"\r\n\r\n'.encode()
    body = b"".join([*parts, head, file[1], b"\r\n--x--\r\n"])
    return Call(label, _request("POST", path, body, "multipart/form-data; boundary=x"))


def in_line(*calls: Call) -> Call:
    """One call that sends several requests at once on one connection."""
    *first, last = (call.data for call in calls)
    kept = [data.replace(b"Connection: close\r\n", b"") for data in first]
    return Call(" and ".join(call.name for call in calls), b"".join([*kept, last]))


def live(label: str, awaited: bytes, *events: Mapping[str, object]) -> Call:
    """A call that opens a WebSocket, sends these events, and closes it when the server has sent `awaited`."""
    head = (
        "GET /v1/realtime?intent=transcription HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return Call(label, b"".join(map(_frame, events)), head.encode(), awaited)


def _frame(event: Mapping[str, object]) -> bytes:
    data = json.dumps(event).encode()
    return b"\x81\xff" + struct.pack(">Q", len(data)) + NO_MASK + data


def _request(method: str, path: str, body: bytes = b"", kind: str = "text/plain") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


async def visit(port: int, call: Call, chance: Random, fates: Counter[str]) -> None:
    """Runs one client. `chance` decides whether it finishes, leaves or stalls; `fates`
    counts the outcomes.
    """
    fate = chance.choice(("whole", "leaves while sending", "leaves after sending", "leaves while reading"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            status = await _upgraded(reader, writer, call.head) if call.head else 0
            await _send(writer, call.data, chance, whole=fate != "leaves while sending")
            if fate == "leaves after sending":
                await asyncio.sleep(chance.uniform(0, LONGEST_STALL_SECONDS))
            elif fate == "leaves while reading":
                await reader.read(chance.randint(1, READ))
                await asyncio.sleep(chance.uniform(0, LONGEST_STALL_SECONDS))
            elif fate == "whole":
                if status == 101:
                    fates[await _said(reader, writer, call)] += 1
                status = status or await _status(reader, chance)
                fate = f"{fate}, {status // 100}xx" if status else "closed by the server"
                if status >= 500:
                    print(f"{status}: {call.name}")  # helps to find out why the test failed
    finally:
        fates[fate] += 1
        if chance.random() < 0.5:
            _reset_on_close(writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, data: bytes, chance: Random, *, whole: bool) -> None:
    """Sends in pieces, with pauses; if not `whole`, only up to a random byte."""
    end = len(data) if whole else chance.randrange(len(data))
    at = 0
    while at < end:
        size = chance.randint(1, max(1, len(data) // 2))
        writer.write(data[at : min(end, at + size)])
        await writer.drain()
        at += size
        if chance.random() < 0.3:
            await asyncio.sleep(chance.uniform(0, LONGEST_STALL_SECONDS))


async def _upgraded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> int:
    """Sends the head of a WebSocket upgrade. Returns the status of the answer."""
    writer.write(head)
    async with asyncio.timeout(LONGEST_ANSWER_SECONDS):
        return int((await reader.readuntil(b"\r\n\r\n")).split()[1])


async def _said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, call: Call) -> str:
    """Reads to the end of a session. Returns whether the server has sent what was awaited."""
    data = b""
    async with asyncio.timeout(LONGEST_ANSWER_SECONDS):
        while call.awaited not in data and (more := await reader.read(READ)):
            data += more
        writer.write(GOOD_BYE)
        while await reader.read(READ):
            pass
    return f"{call.name}, {'answered' if call.awaited in data else 'not answered'}"


async def _status(reader: asyncio.StreamReader, chance: Random) -> int:
    """Reads the whole answer, sometimes slowly. Returns its status; 0 if there was none."""
    async with asyncio.timeout(LONGEST_ANSWER_SECONDS):
        head = await reader.readline()
        while await reader.read(READ):
            if chance.random() < 0.05:
                await asyncio.sleep(chance.uniform(0, LONGEST_STALL_SECONDS))
    return int(head.split()[1]) if head else 0


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    """Makes closing send a reset (RST) instead of a regular end (FIN)."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
