"""One upload, several readers."""

from __future__ import annotations

import io
import random
from concurrent.futures import ThreadPoolExecutor

from app.audio.decode import open_audio
from app.audio.shared import SharedFile
from tests.support.sound import encode, noise


def test_views_do_not_disturb_each_other() -> None:
    data = random.Random(1).randbytes(300_000)
    shared = SharedFile(io.BytesIO(data))

    def read(seed: int) -> bool:
        view, chance = shared.view(), random.Random(seed)
        for _ in range(200):
            at, size = chance.randrange(len(data)), chance.randrange(1, 5000)
            view.seek(at)
            if view.read(size) != data[at : at + size]:
                return False
        return view.seek(0, io.SEEK_END) == len(data)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))


def test_two_decoders_hear_the_same() -> None:
    shared = SharedFile(io.BytesIO(encode(noise(12), "mp4", "aac")))
    sources = [open_audio(shared.view(), limit=60, cancelled=lambda: False) for _ in range(2)]
    blocks = [source.blocks() for source in sources]
    for one, two in zip(*blocks, strict=True):
        assert (one == two).all()
    assert sources[0].seconds == sources[1].seconds > 11.9
