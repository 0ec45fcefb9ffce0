"""Finds channel layouts whose memory PyAV would free twice.

FFmpeg keeps a layout that has no name (right before left, one channel twice) as a list of channels. PyAV
17.1 to 18.1 copy the pointer to that list for each frame and for the stream, and free it with each copy: a
file of a few kilobytes ends the process. Law: whatever a file declares, the decoder is given a layout without
a list; a frame that has one nevertheless is refused, and its layout is never freed.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from app.errors import NotAudio

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet

_LISTED = re.compile(r"\d+ channels \((.*)\)?", re.DOTALL)
_IN_ORDER = (
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL",
    "TBC", "TBR", "DL", "DR", "WL", "WR", "SDL", "SDR", "LFE2", "TSL", "TSR", "BFC", "BFL", "BFR", "SSL",
    "SSR", "TTL", "TTR",
)  # fmt: skip
"""Names of channels in the order of the bits of FFmpeg's masks."""
_XHE_AAC = 42
"""The audio object type (ISO/IEC 14496-3) of xHE-AAC, the only codec whose decoder makes
such layouts itself.
"""
_WITH_EXTENSION = (5, 29)
"""Object types of spectral band replication and parametric stereo: the object type of the sound itself
follows.
"""
_LONG_TYPE = 31
_LOAS_HEAD = 3
"""Bytes: 11 bits of sync word, 13 bits of length."""


def make_plain(stream: AudioStream) -> None:
    """Gives the decoder a layout without a list. Call it before decoding. Raises `NotAudio`."""
    context = stream.codec_context
    declared = context.layout  # from here on, only this copy of the layout frees the list
    count, name = declared.nb_channels, declared.name
    if count > 0:
        context.layout = f"{count} channels" if set(name) & set(" +@") else name
    _check_configuration(context.extradata)


def check_packet(packet: Packet[AudioStream]) -> None:
    """Raises `NotAudio` or `ValueError` for a packet from which the decoder could make such a layout."""
    if packet.has_sidedata("new_extradata"):
        _check_configuration(bytes(packet.get_sidedata("new_extradata")))
    if packet.stream.codec_context.name == "aac_latm" and packet.size and not _is_one_frame(bytes(packet)):
        raise ValueError("a packet of LATM that is not one frame")


def check_frames(frames: Iterable[AudioFrame]) -> None:
    """Raises `NotAudio` if one of the frames has a list of channels."""
    listed = [frame.layout for frame in frames if _is_listed(frame.layout.name)]
    for layout in listed:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    if listed:
        raise _refused("a list of channels that changes on the way")


def _is_listed(name: str) -> bool:
    """Whether a layout may be a list of channels. `name`: FFmpeg's description of it."""
    listed = _LISTED.match(name)
    return listed is not None and not _in_order(listed[1].rstrip(")").split("+"))


def _in_order(names: list[str]) -> bool:
    """Whether FFmpeg can hold these channels as a mask, without a list."""
    if not set(names) <= set(_IN_ORDER):
        return False
    places = [_IN_ORDER.index(name) for name in names]
    return all(a < b for a, b in pairwise(places))


def _check_configuration(extradata: bytes | None) -> None:
    """Refuses xHE-AAC, whose decoder would make such a layout. `extradata`: of AAC, it begins with an
    AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). Raises `NotAudio`.
    """
    bits = Bits(extradata or b"")
    kind = _object_type(bits)
    if kind in _WITH_EXTENSION:  # the type of the sound itself comes behind it
        _skip_rate(bits)
        bits.take(4)
        _skip_rate(bits)
        kind = _object_type(bits)
    if kind == _XHE_AAC:
        raise _refused("xHE-AAC")


def _object_type(bits: Bits) -> int:
    kind = bits.take(5)
    return kind if kind != _LONG_TYPE else 32 + bits.take(6)


def _skip_rate(bits: Bits) -> None:
    if bits.take(4) == 15:
        bits.take(24)


class Bits:
    """Reads bits from bytes, in order; after the end it gives zeros."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data[:16].ljust(16, b"\0"), "big")
        self._left = 128

    def take(self, count: int) -> int:
        """The next `count` bits as a number."""
        self._left -= count
        return self._rest >> self._left & (1 << count) - 1


def _is_one_frame(data: bytes) -> bool:
    """Whether a packet of LATM is one frame of LOAS and nothing else."""
    return len(data) >= _LOAS_HEAD and len(data) == _LOAS_HEAD + ((data[1] & 0x1F) << 8 | data[2])


def _refused(what: str) -> NotAudio:
    return NotAudio(f"This file holds {what}, which is not supported. Convert it to FLAC, MP3 or WAV.")
