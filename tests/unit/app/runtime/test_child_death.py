from __future__ import annotations

import pytest

from app.runtime import child_death
from app.runtime.child_death import death


@pytest.mark.parametrize(
    ("status", "kills", "told", "killed", "memory"),
    [
        (3, 0, "its process ended with status 3", False, False),
        (-11, 0, "its process was ended by SIGSEGV", False, False),
        (-11, 1, "its process was ended by SIGSEGV", False, False),
        (-9, 0, "its process was ended by SIGKILL", True, False),
        (-9, 1, "its process was ended by SIGKILL, probably because memory ran out", False, True),
        (-15, 1, "its process was ended by SIGTERM", True, False),
        (-64, 0, "its process was ended by SIGRTMAX", False, False),
        (-50, 0, "its process was ended by signal 50", False, False),
    ],
)
def test_how_a_process_ended(
    monkeypatch: pytest.MonkeyPatch, status: int, kills: int, told: str, killed: bool, memory: bool
) -> None:
    """How the end of a process is reported. `kills`: number of processes that the kernel has killed for lack
    of memory since this one was started.
    """
    monkeypatch.setattr(child_death, "oom_kills", lambda: 7 + kills)
    died = death(status, 7)
    assert (died.reason, died.killed, died.memory) == (told, killed, memory)
