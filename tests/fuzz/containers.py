"""Small files of many containers and codecs, and mutations that aim at what containers are made of."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from random import Random

import numpy as np

from tests.support.fuzz import mutated
from tests.support.sound import caf, encode, film, float_wav, many_channels, pcm_wav, silent_flac, tone, wav

ENCODED = (
    ("wav", "pcm_s16le", 16_000, "mono"),
    ("wav", "pcm_s24le", 96_000, "stereo"),
    ("wav", "pcm_mulaw", 8_000, "mono"),
    ("wav", "adpcm_ima_wav", 22_050, "stereo"),
    ("aiff", "pcm_s16be", 44_100, "stereo"),
    ("au", "pcm_s16be", 16_000, "mono"),
    ("caf", "pcm_s16be", 44_100, "stereo"),
    ("caf", "alac", 44_100, "mono"),
    ("w64", "pcm_s16le", 16_000, "mono"),
    ("voc", "pcm_s16le", 22_050, "mono"),
    ("flac", "flac", 44_100, "stereo"),
    ("mp3", "libmp3lame", 44_100, "stereo"),
    ("mp3", "libmp3lame", 8_000, "mono"),
    ("mp2", "mp2", 44_100, "stereo"),
    ("ogg", "libopus", 48_000, "mono"),
    ("webm", "libopus", 48_000, "stereo"),
    ("matroska", "aac", 48_000, "mono"),
    ("matroska", "pcm_s16le", 44_100, "stereo"),
    ("mp4", "aac", 44_100, "stereo"),
    ("ipod", "alac", 48_000, "stereo"),
    ("mov", "pcm_s16le", 44_100, "stereo"),
    ("3gp", "aac", 22_050, "mono"),
    ("adts", "aac", 22_050, "mono"),
    ("mpegts", "aac", 48_000, "stereo"),
    ("flv", "aac", 44_100, "mono"),
    ("avi", "pcm_s16le", 44_100, "stereo"),
    ("asf", "libmp3lame", 44_100, "stereo"),
    ("ac3", "ac3", 48_000, "5.1"),
    ("eac3", "eac3", 48_000, "stereo"),
    ("tta", "tta", 44_100, "stereo"),
    ("wv", "wavpack", 44_100, "stereo"),
    ("nut", "pcm_s16le", 44_100, "mono"),
    ("latm", "aac", 44_100, "stereo"),
)
SOUND = tone(0.5)
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@cache
def seeds() -> dict[str, bytes]:
    """Intact files by a name of container and codec."""
    files = {f"{kind} {codec} {rate} {layout}": encode(SOUND, kind, codec, rate, layout)
             for kind, codec, rate, layout in ENCODED}  # fmt: skip
    files["mp4 with pictures"] = film(SOUND)
    files["flac of silence"] = silent_flac(20)
    files["wav of floats"] = float_wav(SOUND)
    for channels in (5, 8, 9, 33, 64, 65):
        files[f"wav of {channels} channels"] = pcm_wav(np.tile(SOUND[:4000, None], channels))
        if channels <= 64:
            files[f"wavpack of {channels} planes"] = many_channels(SOUND[:4000], channels)
    for labels in ((2, 1), (1, 1, 1), (1, 2, 500, 600, 7)):
        files[f"caf of channels {labels}"] = caf(SOUND, labels)
    odd = SOUND.copy()
    odd[::50], odd[1::50], odd[2::50] = np.nan, np.inf, 1e30
    files["wav of odd floats"] = float_wav(odd)
    files["wav without samples"] = wav(SOUND[:0])
    return files


def broken(chance: Random) -> tuple[str, bytes]:
    """The name of a seed, and the seed after a mutation or two."""
    name = chance.choice(sorted(seeds()))
    data = seeds()[name]
    for _ in range(chance.randint(1, 2)):
        data = chance.choice(MUTATIONS)(data, chance)
    return name, data


def _head(data: bytes, chance: Random) -> bytes:
    """Replaces some bytes of the header."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 12)):
        if changed:
            changed[chance.randrange(min(len(changed), 300))] = chance.randrange(256)
    return bytes(changed)


def _extreme(data: bytes, chance: Random) -> bytes:
    """Writes values at which sizes, rates and counts overflow into fields of 1, 2, 4 or 8 bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        width = chance.choice("BHIQ")
        order = chance.choice("<>")
        size = struct.calcsize(width)
        value = chance.choice(EXTREMES) & ((1 << 8 * size) - 1)
        at = chance.randrange(max(1, min(len(changed), chance.choice((64, 400, 10**9))) - size))
        changed[at : at + size] = struct.pack(order + width, value)
    return bytes(changed)


def _short(data: bytes, chance: Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _spliced(data: bytes, chance: Random) -> bytes:
    """The start of one file and the end of another."""
    other = chance.choice(sorted(seeds().items()))[1]
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _shuffled(data: bytes, chance: Random) -> bytes:
    """Blocks of the body in another order."""
    size = chance.choice((16, 188, 512, 4096))
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    tail = blocks[1:]
    chance.shuffle(tail)
    return b"".join([*blocks[:1], *tail])


def _random_body(data: bytes, chance: Random) -> bytes:
    """The header is right, the rest is noise."""
    keep = min(len(data), chance.choice((44, 100, 300, 1000)))
    return data[:keep] + chance.randbytes(min(len(data) - keep, 20_000))


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    mutated, _head, _head, _extreme, _extreme, _short, _spliced, _shuffled, _random_body,
)  # fmt: skip
