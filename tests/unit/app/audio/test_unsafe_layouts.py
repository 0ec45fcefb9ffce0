"""Channel layouts that would crash the process: each file is read in its own process, so that a crash is
noticed.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from app.audio.decode import open_audio
from app.audio.frame_samples import samples
from app.audio.unsafe_layouts import check_frames
from app.errors import NotAudio
from tests.support.sound import caf, encode, filtered, many_channels, tone

SOUND = tone(1.0)
READ = """
import faulthandler, io, pathlib, sys
import numpy as np
from app.audio.decode import open_audio
faulthandler.enable()
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    print(path.name, end=": ", flush=True)
    for _ in range(20):  # a fault of memory does not always end a process at once
        source = open_audio(io.BytesIO(path.read_bytes()), limit=100, cancelled=lambda: False)
        sound = np.concatenate(list(source.blocks()))
        source.close()
    print(len(sound), f"{np.abs(sound).max():.2f}", flush=True)
"""
RIGHT_LEFT = (2, 1)
FILES: dict[str, Callable[[], bytes]] = {
    "right before left": partial(caf, SOUND, RIGHT_LEFT),
    "one channel three times": partial(caf, SOUND, (1, 1, 1)),
    "channels that nobody knows": partial(caf, SOUND, (1, 2, 500, 600, 7)),
    "64 of a list": partial(caf, SOUND, RIGHT_LEFT * 32),
    **{f"{count} planes": partial(many_channels, SOUND, count) for count in (8, 9, 16, 33, 64)},
}


@pytest.mark.slow
def test_the_process_lives_on_and_the_level_stays(tmp_path: Path) -> None:
    for name, made in FILES.items():
        (tmp_path / name).write_bytes(made())
    ended = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)], capture_output=True, check=False, text=True, timeout=100
    )
    assert ended.returncode == 0, (ended.stdout, ended.stderr)
    assert ended.stdout.splitlines() == [f"{name}: {len(SOUND)} 0.30" for name in sorted(FILES)]


@pytest.mark.parametrize("channels", [2, 8, 16])
def test_frames_of_several_channels_are_not_read(channels: int) -> None:
    weights = "|".join([f"{channels}C", *(f"c{number}=c0" for number in range(channels))])
    (frame,) = filtered(SOUND, [("pan", weights)])
    with pytest.raises(ValueError, match=f"{channels} channels"):
        samples(frame)


def opened(data: bytes) -> None:
    source = open_audio(io.BytesIO(data), limit=100, cancelled=lambda: False)
    try:
        list(source.blocks())
    finally:
        source.close()


XHE_AAC = (0b11111_001010_0100_0001 << 5).to_bytes(3, "big")
"""The start of an AudioSpecificConfig: escape, object type 42, 44,100 Hz, one channel."""
BEHIND_SBR = (0b00101_0100_0001_0100_11111_001010 << 4).to_bytes(4, "big")
"""The same object type, but declared as the sound below spectral band replication."""


@pytest.mark.parametrize("config", [XHE_AAC, BEHIND_SBR], ids=["plain", "behind an extension"])
def test_a_codec_that_makes_lists_of_channels_is_refused_before_it_runs(config: bytes) -> None:
    data = encode(SOUND, "flv", "aac", 44_100)
    with av.open(io.BytesIO(data)) as container:
        own = container.streams.audio[0].codec_context.extradata
    assert own
    assert data.count(b"\xaf\x00" + own) == 1
    with pytest.raises(NotAudio, match="xHE-AAC"):
        opened(data.replace(b"\xaf\x00" + own, b"\xaf\x00" + config.ljust(len(own), b"\0")[: len(own)]))


def test_a_configuration_in_mid_stream_is_looked_at_too() -> None:
    """FLV may bring another configuration with any packet."""
    data = encode(SOUND, "flv", "aac", 44_100)
    frame = data.index(b"\xaf\x01", len(data) // 2) - 11  # the head of a tag: type, size, time, stream
    body = b"\xaf\x00" + XHE_AAC
    tag = b"\x08" + len(body).to_bytes(3, "big") + data[frame + 4 : frame + 11] + body
    with pytest.raises(NotAudio, match="xHE-AAC"):
        opened(data[:frame] + tag + (11 + len(body)).to_bytes(4, "big") + data[frame:])


def test_latm_is_read() -> None:
    source = open_audio(
        io.BytesIO(encode(SOUND, "latm", "aac", 44_100, "stereo")), limit=9, cancelled=lambda: False
    )
    assert len(np.concatenate(list(source.blocks()))) == pytest.approx(len(SOUND), abs=1600)
    source.close()


def test_channels_that_a_mask_can_hold_are_no_list() -> None:
    (frame,) = filtered(SOUND, [("pan", "FL+FR+TFC|c0=c0|c1=c0|c2=c0")])
    assert frame.layout.name == "3 channels (FL+FR+TFC)"
    check_frames([frame])


@pytest.mark.slow
def test_a_frame_with_a_list_is_refused_and_its_layout_is_kept() -> None:
    made = """
import gc
from app.audio.unsafe_layouts import check_frames
from app.errors import NotAudio
from tests.support.sound import filtered, tone
for _ in range(30):
    frames = filtered(tone(1.0), [("pan", "FR+FL|c0=c0|c1=c0")])
    try:
        check_frames(frames)
    except NotAudio:
        frames.clear()
    gc.collect()
print("alive", frames)
"""
    ended = subprocess.run(
        [sys.executable, "-c", made], capture_output=True, check=False, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "alive []\n"), ended.stderr
