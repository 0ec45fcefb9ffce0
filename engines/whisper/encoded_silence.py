"""The encoding of silence, with which the decoder's input is filled up.

It takes as long as a whole window, so it is not computed while the model is loaded: the server would be ready
later by that.

Law: computed once; whoever needs it before waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

REST_SECONDS = 2.0
"""Seconds after loading until it is computed unless it was needed; meanwhile other models are loaded."""


class EncodedSilence:
    """Computes the encoding when it is first needed, or a little later. Any thread may call it."""

    def __init__(self, encode: Callable[[], NDArray[Any]], rest: float = REST_SECONDS) -> None:
        """`encode`: gives the encoding (1, positions, width). `rest`: seconds until it is called anyway."""
        self._encode = encode
        self._value: NDArray[Any] | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._later, args=(rest,), daemon=True)
        self._thread.start()

    def value(self) -> NDArray[Any]:
        with self._lock:
            if self._value is None:
                self._value = self._encode()
            return self._value

    def close(self) -> None:
        """Returns when the encoding is not being computed any more."""
        self._closed.set()
        self._thread.join()

    def _later(self, rest: float) -> None:
        if not self._closed.wait(rest):
            self.value()
