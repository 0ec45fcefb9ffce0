"""The only place that reads the samples of a frame.

Law: PyAV counts the planes of a frame until it meets a null pointer, and behind the eighth channel there is
none: it reads memory that is not the frame's. So a frame of several channels is refused before its samples
are copied; FFmpeg's filters make one channel of many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import AudioFrame


def samples(frame: AudioFrame) -> NDArray[Any]:
    """A copy of the samples of a mono frame."""
    if frame.layout.nb_channels != 1:
        raise ValueError(f"a frame of {frame.layout.nb_channels} channels is not read")
    return frame.to_ndarray().reshape(-1)
