"""Sets the number of PyTorch's threads, which is one for the whole process. Law: no other file sets it."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger(__name__)
_lock = threading.Lock()
_count: int | None = None


def set_threads(count: int) -> None:
    """Sets the number of threads of an operation. The first engine that calls it decides for all engines of
    the process.
    """
    global _count  # noqa: PLW0603 - one number for the process, as in PyTorch itself
    import torch

    with _lock:
        if _count is None:
            _count = count
            torch.set_num_threads(count)
        elif count != _count:
            log.warning("PyTorch keeps its %d threads; %d were asked for later", _count, count)
