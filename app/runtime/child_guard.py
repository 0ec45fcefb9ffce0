"""What every child process does first: it makes sure that it ends with the server. Law: imports neither the
app nor any library.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
OOM_SCORE = 500
"""Value of `oom_score_adj`: when memory runs out, the kernel ends the child before the server."""
CHILD_NICENESS = 5
"""How much lower the priority of a process that computes is than the server's. With equal priorities, the
event loop waited for a core in a third of the time while sixteen uploads came, and with this in a tenth."""


def guard(parent: int) -> None:
    """Makes this process end when the server ends, makes the kernel kill it before the server if memory runs
    out, and prints its stack if native code crashes.
    """
    faulthandler.enable()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    # Ctrl-C and SIGTERM are meant for the server, which ends its children itself.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    if os.getppid() != parent:  # the server ended before the line above
        sys.exit(1)


def give_way() -> None:
    """Lets the server have a core as soon as it has something to do. Call it when the process is ready to
    work: beside other programs it would take longer to load a model.
    """
    with suppress(OSError):  # a sandbox may forbid it
        lower = os.getpriority(os.PRIO_PROCESS, 0) + CHILD_NICENESS
        # Each child is a process group of its own; `os.nice` would leave out the threads that run already.
        os.setpriority(os.PRIO_PGRP, 0, lower)
