"""The encoding of silence, with which the decoder's input is filled up, and to which sound attends.

It takes as long as a whole window, so it is not computed while the model is loaded: the server would be ready
later by that.

Law: computed once; whoever needs it before waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from engines.whisper.attended_silence import AttendedSilence

REST_SECONDS = 5.0
"""Seconds after loading until it is computed unless it was needed; meanwhile other models are loaded."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Thirty seconds of silence, encoded."""

    encoded: NDArray[Any]
    """(1, positions, width)"""
    attended: AttendedSilence | None = None
    """For an encoder that can use it."""


class EncodedSilence:
    """Computes the encoding when it is first needed, or a little later. Any thread may call it."""

    def __init__(self, encode: Callable[[], Silence], rest: float = REST_SECONDS) -> None:
        """`rest`: seconds until `encode` is called anyway."""
        self._encode = encode
        self._value: Silence | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._later, args=(rest,), daemon=True)
        self._thread.start()

    def value(self) -> Silence:
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
