"""PyTorch's threads, which belong to the whole process. Law: this file alone sets them."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger(__name__)
_lock = threading.Lock()
_count: int | None = None


def set_threads(count: int) -> None:
    """Threads of PyTorch's operations. The first engine that asks decides for all engines of the process."""
    global _count  # noqa: PLW0603 - one number for the process, as in PyTorch itself
    import torch

    with _lock:
        if _count is None:
            _count = count
            torch.set_num_threads(count)
        elif count != _count:
            log.warning("PyTorch keeps its %d threads; %d were asked for later", _count, count)
