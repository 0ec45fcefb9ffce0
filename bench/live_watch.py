"""Asks for /health/live four times a second, in a process of its own, until its input is closed.

    .venv/bin/python -m bench.live_watch 127.0.0.1:8000

Prints the seconds of each answer as a JSON list. In the process of a bench that sends uploads, Python's lock
would be measured with it.
"""

from __future__ import annotations

import http.client
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE = 0.25
"""Seconds between two questions."""


def asked(address: str) -> float:
    """Seconds until the answer, with a connection of its own, as a load balancer asks."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/health/live")
    status = connection.getresponse().status
    connection.close()
    assert status == 200, status
    return time.perf_counter() - began


@contextmanager
def watched(root: str, waits: list[float]) -> Iterator[None]:
    """Adds to `waits` the seconds that each answer takes in the meantime."""
    command = [sys.executable, "-m", "bench.live_watch", root.removeprefix("http://")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield
    finally:
        told, _ = process.communicate(timeout=90)
    waits += json.loads(told)


def main() -> None:
    waits = []
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        waits.append(asked(sys.argv[1]))
    print(json.dumps(waits))


if __name__ == "__main__":
    main()
