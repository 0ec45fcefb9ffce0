"""The memory of another process is read until it has ended."""

from __future__ import annotations

import subprocess
import sys

from app.runtime.resident_memory import ResidentMemory
from tests.support.waiting import wait_until


def test_memory_is_read_until_the_process_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        memory = ResidentMemory(process.pid)
        wait_until(lambda: 500_000 < memory.read() < 500_000_000, 20, "the memory of a started program")
        process.communicate(b"\n", timeout=20)
    assert memory.read() == 0
    memory.close()


def test_a_closed_one_reads_nothing_and_may_be_closed_again() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        memory = ResidentMemory(process.pid)
        memory.close()
        memory.close()
        assert memory.read() == 0
        process.communicate(b"\n", timeout=20)


def test_a_process_that_never_was_has_no_memory() -> None:
    assert ResidentMemory(2**22 + 1).read() == 0
