"""A fake model hub on this machine: files with range requests, the list of a repository, and errors on
request.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub:
    """The content of the hub, and the requests that it got."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.listing: dict[str, Any] = {}
        self.status = 200
        """Status of the answer to a request for a repository's list."""
        self.asked: list[tuple[str, str | None]] = []
        """Path and Range header of each request."""
        self.break_after: int | None = None
        """The next answer breaks off after so many bytes; the answers after it are complete."""
        self.tokens: list[str | None] = []


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append((path, self.headers.get("Range")))
            hub.tokens.append(self.headers.get("Authorization"))
            if path.startswith("/api/models/"):
                listing = {"id": path.removeprefix("/api/models/")} | hub.listing
                self._send(hub.status, json.dumps(listing).encode() if hub.listing else b"", {})
            elif path in hub.files:
                self._file(hub.files[path])
            else:
                self._send(404, b"", {})

        def _file(self, data: bytes) -> None:
            start = 0
            if wanted := self.headers.get("Range"):
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
            self._send(206 if start else 200, data[start:], headers)

        def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            cut, hub.break_after = hub.break_after, None
            self.wfile.write(data if cut is None else data[:cut])
            if cut is not None:
                self.wfile.flush()
                self.connection.close()

        def log_message(self, *_: object) -> None:
            """Suppresses the log of requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
